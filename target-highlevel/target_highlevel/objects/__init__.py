"""The kinds of things HighLevel holds: how each is created, read, changed, found again and removed."""
