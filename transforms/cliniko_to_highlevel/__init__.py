"""The mapping from Cliniko's records to HighLevel's: pure functions, one module per destination."""
