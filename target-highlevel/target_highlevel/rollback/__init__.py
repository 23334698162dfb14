"""Undoing a run: what it created is removed, what it changed is put back, what a person touched since is spared."""
