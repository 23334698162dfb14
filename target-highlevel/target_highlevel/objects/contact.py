"""Contacts: identity is the Cliniko id in ``contact.source_system_id``; an e-mail or a phone never decides anything."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from target_highlevel.errors import DuplicateContact, Refused
from target_highlevel.fields import ContactAnswer, ContactBody, is_empty, kind_of
from target_highlevel.http.error_messages import UNEXPLAINED
from target_highlevel.ledger.rows import Notes, Row
from target_highlevel.objects.base import Created, Existing, ObjectKind, Rejected, Updated, present
from target_highlevel.objects.refused_fields import named_fields, refused_field
from target_highlevel.withheld import REFUSED, told_by
from target_highlevel.withheld import tags as tags_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from target_highlevel.api.contacts import Contacts
    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.fields.base import Users
    from target_highlevel.setup.catalogue import Catalogue

IDENTITY = "source_system_id"
#: Addresses by which HighLevel tells duplicates, and what its search for them calls each.
_ADDRESSES = (("email", "email"), ("phone", "number"))


class Contact(ObjectKind):
    """A person: patient, practitioner without a user, or a contact such as a referring doctor."""

    search_is_eventual = True
    api = "contacts"
    grows_leaner = True

    @property
    def _contacts(self) -> Contacts:
        return self.ctx.highlevel.contacts

    def prepare(self, row: Row, spec: StreamSpec, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the wanted fields with the owner resolved.

        Raises:
            Rejected: it would be made without any address, in a sub-account that was measured to refuse such contacts.
        """
        wanted = prepare(spec, fields, self.user)
        alone = row.hl_id is None and not self._has_address(spec, present(wanted))
        if alone and self.ctx.catalogue.known.answer("contact_without_address") == "refused":
            raise Rejected("address_required")
        return wanted

    def create(self, row: Row, spec: StreamSpec, wanted: Mapping[str, Any]) -> Created | Existing:
        """Create the contact; an address that belongs to somebody else is withheld, never followed.

        In a sub-account without duplicates a create with a known e-mail or phone answers 400 and names the contact that has it
        (docs/api-facts.md, Shared addresses): at most two such answers can come, one for each address.
        """
        fields = present(wanted)
        if met := self._met(row, spec, fields):
            return Existing(met, ours=False)
        withheld: dict[str, str] = {}
        while True:
            try:
                made = self._contacts.create(encode(spec, fields, self.ctx.catalogue))
            except DuplicateContact as duplicate:
                taken = self._resolve(duplicate, row, spec, fields, withheld)
                if taken is not None:
                    return taken
                fields = _without(fields, withheld)
                continue
            filled = filled_in(spec, fields, decode(spec, made, self.ctx.catalogue), just_made=True)
            notes = Notes(withheld=withheld, tags=tuple(fields.get("tags", ())), filled=filled)
            return Created(str(made["id"]), notes=notes)

    def refused_field(self, refused: Refused, spec: StreamSpec, fields: Mapping[str, Any]) -> str | None:
        """Return the field that a refusal names, if the contact can do without it.

        A text that can be cut is not left out, nor a list of which an option alone is too much.
        """
        if self.too_long(refused, spec, fields) or self.lacks_options(refused, spec, fields):
            return None
        return refused_field(refused, spec, fields, _custom(spec, fields))

    @override
    def explained(self, refused: Refused, spec: StreamSpec, fields: Mapping[str, Any]) -> Refused:
        """Return that an address is missing, where that may be why nothing was made."""
        if refused.code in UNEXPLAINED and not self._has_address(spec, fields):
            findings = replace(refused.findings, code="address_required")
            return Refused(refused.hint, route=refused.route, status=refused.status, findings=findings)
        return refused

    @override
    def named_by(self, refused: Refused, spec: StreamSpec, fields: Mapping[str, Any]) -> Iterable[str]:
        return named_fields(refused, spec.by_api_name, fields, _custom(spec, fields))

    def without(
        self, spec: StreamSpec, wanted: Mapping[str, Any], withheld: Mapping[str, str]
    ) -> dict[str, Any]:
        """Return the wanted fields without those that were refused; a tag tells of an address."""
        return _without(wanted, withheld) if withheld else dict(wanted)

    def _has_address(self, spec: StreamSpec, fields: Mapping[str, Any]) -> bool:
        return not _addresses(spec).isdisjoint(fields)

    def _resolve(
        self,
        duplicate: DuplicateContact,
        row: Row,
        spec: StreamSpec,
        fields: Mapping[str, Any],
        withheld: dict[str, str],
    ) -> Existing | None:
        """Return our own contact if the address led to it; otherwise note the address to withhold."""
        holder, name = self._holder(duplicate, row, spec, fields)
        whose = self._whose(holder, row, spec, fields) if holder else "unknown"
        if holder and whose in {"ours", "same_person"}:
            return Existing(holder, ours=whose == "ours")
        if name is None or name in withheld:
            raise Rejected("duplicate_contact", name)
        if holder and whose == "another_person":
            self.ctx.work.claims.meet(row, name, holder)
        withheld[name] = whose
        return None

    def _met(self, row: Row, spec: StreamSpec, fields: Mapping[str, Any]) -> str | None:
        """Return the contact of before that is this person, where it has an address that the person gives up to another."""
        met = {row.claims[name].met for name in row.gives_up} - {None}
        same = (hl_id for hl_id in met if hl_id and self._whose(hl_id, row, spec, fields) == "same_person")
        return next(same, None)

    def _holder(
        self, duplicate: DuplicateContact, row: Row, spec: StreamSpec, fields: Mapping[str, Any]
    ) -> tuple[str | None, str | None]:
        """Return who has an address, and our name of the address; without a hint of the API's both are searched for.

        It may be our own contact, from a create whose answer was lost. When nobody is found the e-mail goes first.
        """
        by_api = spec.by_api_name
        ours = [(by_api[api], parameter) for api, parameter in _ADDRESSES if fields.get(by_api.get(api, ""))]
        hinted = by_api.get(duplicate.matching_field or "")
        if duplicate.contact_id and hinted in fields:
            return duplicate.contact_id, hinted
        for name, parameter in ours:
            found = self._contacts.with_address(parameter, fields[name])
            if found not in {None, row.hl_id}:
                return found, name
        return duplicate.contact_id, next((name for name, _ in ours), None)

    def _other(self, holder: str | None, row: Row, spec: StreamSpec) -> str:
        """Return whose an address is that is not this contact's, as far as it can be told."""
        whose = self._whose(holder, row, spec, {}) if holder else "unknown"
        return "another_person" if whose == "same_person" else whose

    def _whose(self, holder: str, row: Row, spec: StreamSpec, fields: Mapping[str, Any]) -> str:
        known = self.ctx.work.holder("contact", holder)
        if known is not None:
            return "ours" if known == row.source_id else "another_record"
        there = self._decoded(holder, spec)
        if there.get(IDENTITY):
            return "ours" if there[IDENTITY] == row.source_id else "another_record"
        return "same_person" if _same_person(spec, there, fields) else "another_person"

    def read(self, row: Row, spec: StreamSpec) -> dict[str, Any]:
        """Return the contact's fields."""
        return self._decoded(str(row.hl_id), spec)

    def _decoded(self, hl_id: str, spec: StreamSpec) -> dict[str, Any]:
        return decode(spec, self._contacts.get(hl_id), self.ctx.catalogue)

    def update(
        self, row: Row, spec: StreamSpec, changes: Mapping[str, Any], current: Mapping[str, Any]
    ) -> Updated:
        """Write the changed fields; an address that belongs to another contact is withheld here as well, and cleared.

        One withheld before and written now is withheld no longer, and the tag that told of it goes.
        """
        before = row.notes.withheld
        kept = {name: why for name, why in before.items() if name not in changes and row.wants(name)}
        withheld = row.gives_up
        while True:
            fields = _with_tags(row, changes, before, {**kept, **withheld})
            try:
                body = encode(spec, fields, self.ctx.catalogue, current=current, ours=row.notes.tags)
                self._contacts.update(str(row.hl_id), body)
                break
            except DuplicateContact as duplicate:
                holder, name = self._holder(duplicate, row, spec, fields)
                if name is None or name in withheld:
                    raise Rejected("duplicate_contact", name) from duplicate
                withheld[name] = self._other(holder, row, spec)
                changes = {**changes, name: None}  # the old address is no longer the patient's
            except Refused as refused:
                name = self.refused_field(refused, spec, fields)
                if name is None or name in withheld:
                    raise
                withheld[name] = REFUSED
                changes = {**changes, name: None}
        tags = tuple(fields["tags"]) if "tags" in fields else None
        return Updated(withheld={**kept, **withheld}, tags=tags)

    def restore(
        self, row: Row, spec: StreamSpec, before: Mapping[str, Any], current: Mapping[str, Any]
    ) -> None:
        """Write the values of before again; an address that another contact has now is refused, and what is there stays.

        Raises:
            Rejected: for the address; nothing was written.
        """
        body = encode(spec, before, self.ctx.catalogue, current=current, ours=row.notes.tags)
        try:
            self._contacts.update(str(row.hl_id), body)
        except DuplicateContact as duplicate:
            _, name = self._holder(duplicate, row, spec, before)
            raise Rejected("duplicate_contact", name) from duplicate

    def reconstruct_notes(
        self, spec: StreamSpec, wanted: Mapping[str, Any], current: Mapping[str, Any]
    ) -> Notes:
        """Return which tags came with the create, and which address it had to leave out, as the tag says that came with it."""
        tags = {item.name for item in spec.fields.values() if kind_of(item).shared}
        there = {tag for name in tags for tag in current.get(name) or ()}
        withheld = {
            name: why
            for name, value in wanted.items()
            if (why := told_by(there, name)) and value and not current.get(name)
        }
        ours = {tag for name in tags for tag in wanted.get(name) or ()} | tags_of(withheld)
        filled = filled_in(spec, wanted, current)
        return Notes(withheld=withheld, tags=tuple(sorted(there & ours)), filled=filled)

    def is_highlevels_own(self, row: Row, spec: StreamSpec, name: str, there: Any) -> bool:
        """Return whether HighLevel has filled a value in by itself, such as the sub-account's country."""
        return name not in row.written and kind_of(spec.field(name)).is_highlevels_own(
            there, row.notes, self.ctx.catalogue.settings
        )

    def co_written_fields(self, spec: StreamSpec, names: Iterable[str]) -> set[str]:
        """Return the tags where an address is written: they tell of one that has to be left out."""
        tags = {item.name for item in spec.fields.values() if kind_of(item).shared}
        return set() if _addresses(spec).isdisjoint(names) else tags

    def find(self, row: Row, spec: StreamSpec) -> str | None:
        """Search for the contact that carries our id."""
        field = self.ctx.catalogue.contact_fields.get(IDENTITY)
        if field is None:
            return None
        found = self._contacts.with_value(field.id, row.source_id)
        return str(found[0]["id"]) if found else None

    def remove(self, row: Row) -> None:
        """Delete the contact: only rollback does, and only of what its own run created."""
        self._contacts.delete(str(row.hl_id))


def _addresses(spec: StreamSpec) -> set[str]:
    """Return our names of the addresses."""
    return {spec.by_api_name[api] for api, _ in _ADDRESSES if api in spec.by_api_name}


def _custom(spec: StreamSpec, fields: Iterable[str]) -> list[str]:
    """Return our names of the custom fields, in the order of the body."""
    return [name for name in fields if spec.field(name).is_custom]


def _without(fields: Mapping[str, Any], withheld: Mapping[str, str]) -> dict[str, Any]:
    """Leave the withheld addresses out and tag the contact, so that the clinic can find who shares what."""
    kept = {name: value for name, value in fields.items() if name not in withheld}
    return {**kept, "tags": sorted({*kept.get("tags", ()), *tags_of(withheld)})}


def _with_tags(
    row: Row, changes: Mapping[str, Any], before: Mapping[str, str], withheld: Mapping[str, str]
) -> dict[str, Any]:
    """Return the changes with the tags that tell of what is withheld, where these or any other tags are to be written."""
    if "tags" not in changes and dict(withheld) == dict(before):
        return dict(changes)
    told = tags_of(before)
    tags = set(changes["tags"] or ()) if "tags" in changes else set(row.notes.tags) - told
    return {**changes, "tags": sorted(tags | tags_of(withheld))}


def _same_person(spec: StreamSpec, there: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    """A contact that was there before is adopted only when its whole name and its birth date agree."""
    names = spec.by_api_name
    keys = [names.get(api, "") for api in ("firstName", "lastName", "dateOfBirth")]
    return all(fields.get(key) and _folded(there.get(key)) == _folded(fields.get(key)) for key in keys)


def _folded(value: Any) -> str:
    return " ".join(str(value or "").casefold().split())


__all__ = ["decode", "encode", "filled_in", "prepare"]


def prepare(spec: StreamSpec, fields: Mapping[str, Any], user: Users) -> dict[str, Any]:
    """Return the wanted fields as ``decode`` would return them."""
    kinds = ((name, kind_of(declared)) for name, declared in spec.fields.items())
    return {
        name: kind.wanted(fields.get(name), user)
        for name, kind in kinds
        if kind.written and (kind.always_wanted or name in fields)
    }


def encode(
    spec: StreamSpec,
    fields: Mapping[str, Any],
    catalogue: Catalogue,
    *,
    current: Mapping[str, Any] | None = None,
    ours: Iterable[str] = (),
) -> dict[str, Any]:
    """Return the body of a create (``current`` is None) or of an update."""
    body = ContactBody(catalogue, current, ours)
    for name, value in fields.items():
        if name in spec.fields:
            kind_of(spec.fields[name]).put(body, value)
    return body.json()


def filled_in(
    spec: StreamSpec, sent: Mapping[str, Any], there: Mapping[str, Any], *, just_made: bool = False
) -> dict[str, Any]:
    """Return what HighLevel has filled in by itself in a contact that came without it.

    In the answer that makes a contact nobody else can have filled in a field of its own.
    """
    return {
        name: there[name]
        for name, declared in spec.fields.items()
        if (kind_of(declared).filled_in or (just_made and declared.kind == "standard"))
        and is_empty(sent.get(name))
        and not is_empty(there.get(name))
    }


def decode(spec: StreamSpec, contact: Mapping[str, Any], catalogue: Catalogue) -> dict[str, Any]:
    """Return a contact of the API in our shape; ``_dnd`` keeps the settings of every channel."""
    answer = ContactAnswer(contact, catalogue)
    fields: dict[str, Any] = {"_dnd": contact.get("dndSettings") or {}}
    for declared in spec.fields.values():
        fields |= kind_of(declared).take(answer)
    return fields
