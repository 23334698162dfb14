"""Finding again what an earlier ledger had written, when that ledger is lost."""
