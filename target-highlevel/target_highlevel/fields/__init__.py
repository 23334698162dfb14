"""Kinds of fields: how the values of each are written, read, compared, merged with others' and given back.

Load, verification and rollback ask the kind of a field; none of them knows what a tag or a sum of money is. To add a kind, write
a class in ``kinds.py`` and name the type, or the field, that it stands for.
"""

from target_highlevel.fields.base import FieldKind, is_empty, is_off, same
from target_highlevel.fields.kinds import is_words, kind_of
from target_highlevel.fields.marks import holds, is_written, mark
from target_highlevel.fields.places import ContactAnswer, ContactBody, ObjectProperty, own_currency

__all__ = [
    "ContactAnswer",
    "ContactBody",
    "FieldKind",
    "ObjectProperty",
    "holds",
    "is_empty",
    "is_off",
    "is_words",
    "is_written",
    "kind_of",
    "mark",
    "own_currency",
    "same",
]
