"""Partners: a Cliniko account, a ledger and a sub-account that belong together, and one run at a time that joins them."""

from __future__ import annotations

from target_highlevel.partners.partners import Partners

__all__ = ["Partners"]
