"""Whether a run may start, and what somebody should know before it does."""
