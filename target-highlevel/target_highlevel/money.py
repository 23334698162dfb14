"""What a record comes to in HighLevel: the amount it holds, and what it is summed by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_highlevel.descriptor import StreamSpec


def in_highlevel(spec: StreamSpec, values: Mapping[str, Any], own_currency: str | None) -> dict[str, str]:
    """Return amount, status, year, business and currency, or ``of``, the ref of the record by which it is summed.

    Args:
        spec: says which property holds what; nothing of a stream whose records come to nothing.
        values: the record's values in our shape: an amount as ``332.45``, or with a foreign currency as ``332.45 USD``.
        own_currency: that of the sub-account, where it is known.
    """
    given = {role: str(values.get(name) or "") for role, name in spec.money.items()}
    amount, _, foreign = given.get("amount", "").partition(" ")
    of = given.get("of")
    found = {
        "amount": amount,
        "currency": foreign or own_currency or "",
        "status": given.get("status", ""),
        "year": given.get("date", "")[:4],
        "business": given.get("business", ""),
        "of": f"{spec.money.get('of_object', spec.object)}:{of}" if of else "",
    }
    return {name: value for name, value in found.items() if value} if spec.money else {}
