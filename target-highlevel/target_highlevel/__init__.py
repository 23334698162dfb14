"""Singer target for HighLevel."""
