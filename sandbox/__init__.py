"""A Cliniko account with a synthetic clinic and a HighLevel sub-account, as real HTTP servers on loopback."""
