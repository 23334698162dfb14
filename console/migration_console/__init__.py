"""The migration of a clinic in a browser: it starts the documented commands and shows what they say."""
