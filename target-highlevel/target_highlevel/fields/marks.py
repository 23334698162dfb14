"""What the ledger keeps of a written value: hashes that tell whether a value is the one we wrote, in whatever spelling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_highlevel.fields.kinds import kind_of
from target_highlevel.values import BETWEEN, fingerprint

if TYPE_CHECKING:
    from target_highlevel.descriptor import FieldSpec


def mark(declared: FieldSpec, value: Any, salt: bytes) -> str:
    """Return what the ledger keeps of a written value: its hash, and that of its normal form where it is another."""
    exact, normal = fingerprint(value, salt), fingerprint(kind_of(declared).normal(value), salt)
    return exact if exact == normal else f"{exact}{BETWEEN}{normal}"


def is_written(kept: str | None, value: Any, salt: bytes) -> bool:
    """Return whether this very value is the one that a mark was made of."""
    return kept is not None and kept.partition(BETWEEN)[0] == fingerprint(value, salt)


def holds(kept: str | None, declared: FieldSpec, value: Any, salt: bytes) -> bool:
    """Return whether a value is, in whatever spelling, the one that a mark was made of."""
    if kept is None:
        return False
    forms = {fingerprint(form, salt) for form in (value, kind_of(declared).normal(value))}
    return not forms.isdisjoint(kept.split(BETWEEN))
