"""The commands around the load, one file each."""
