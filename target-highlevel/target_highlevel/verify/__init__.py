"""Verification: everything is read back from HighLevel and compared with Cliniko, field by field."""
