"""The ledger: what should be in HighLevel, what was written there, and by which run. It knows nothing of HTTP."""

from __future__ import annotations

from target_highlevel.ledger.ledger import Ledger
from target_highlevel.ledger.rows import Row, Status

__all__ = ["Ledger", "Row", "Status"]
