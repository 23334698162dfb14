"""The engine: joins the ledger and HighLevel, and decides what is written next."""
