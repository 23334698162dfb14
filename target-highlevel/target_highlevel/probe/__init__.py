"""Asks a sub-account what HighLevel's descriptions leave open, with things of its own that it removes again."""
