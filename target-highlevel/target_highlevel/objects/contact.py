"""Contacts: identity is the Cliniko id in ``contact.source_system_id``; an e-mail or a phone never decides anything."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from target_highlevel.errors import DuplicateContact, Refused
from target_highlevel.objects.base import Created, Existing, ObjectKind, Rejected, present
from target_highlevel.objects.contact_values import custom_values, decode, encode, prepare

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.ledger.rows import Row

IDENTITY = "source_system_id"
#: Addresses by which HighLevel tells duplicates, and what its search for them calls each.
_ADDRESSES = (("email", "email"), ("phone", "number"))


#: Refusals of a contact without any address that say no other reason: whether it may have none is not known (section 7).
_UNEXPLAINED = frozenset({"bad_request", "not_processable"})


class Contact(ObjectKind):
    """A person: patient, practitioner without a user, or a contact such as a referring doctor."""

    witness_lags = True
    create_route = "/contacts/"
    update_route = "/contacts/{id}"
    remove_route = "/contacts/{id}"

    def prepare(self, row: Row, spec: StreamSpec, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the wanted fields with the owner resolved."""
        return prepare(spec, fields, self.user)

    def create(self, row: Row, spec: StreamSpec, wanted: Mapping[str, Any]) -> Created | Existing:
        """Create the contact; an address that belongs to somebody else is withheld, never followed.

        In a sub-account without duplicates a create with a known e-mail or phone answers 400 and names the contact that has it
        (highlevel-api.md section 7): at most two such answers can come, one for each address.
        """
        fields = present(wanted)
        withheld: dict[str, str] = {}
        while True:
            try:
                answer = self.around.client.request(
                    "POST",
                    "/contacts/",
                    route=self.create_route,
                    json={"locationId": self.around.location, **encode(spec, fields, self.around.catalogue)},
                )
            except DuplicateContact as duplicate:
                taken = self._resolve(duplicate, row, spec, fields, withheld)
                if taken is not None:
                    return taken
                fields = _without(fields, withheld)
                continue
            except Refused as refused:
                if refused.code in _UNEXPLAINED and not self._has_address(spec, fields):
                    refused.findings = replace(refused.findings, code="address_required")
                raise
            return Created(answer["contact"]["id"], notes=_notes(fields, withheld))

    def _has_address(self, spec: StreamSpec, fields: Mapping[str, Any]) -> bool:
        api_names = {name: item.api_name for name, item in spec.fields.items()}
        return any(api_names.get(name) in dict(_ADDRESSES) for name in fields)

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
            return Existing(holder, {"adopted": whose})
        if name is None or name in withheld:
            raise Rejected("duplicate_contact", name)
        withheld[name] = whose
        return None

    def _holder(
        self, duplicate: DuplicateContact, row: Row, spec: StreamSpec, fields: Mapping[str, Any]
    ) -> tuple[str | None, str | None]:
        """Return who has an address, and our name of the address; without a hint of the API's both are searched for.

        It may be our own contact, from a create whose answer was lost. When nobody is found the e-mail goes first.
        """
        by_api = {item.api_name: item.name for item in spec.fields.values() if item.kind == "standard"}
        ours = [(by_api[api], parameter) for api, parameter in _ADDRESSES if fields.get(by_api.get(api, ""))]
        hinted = by_api.get(duplicate.matching_field or "")
        if duplicate.contact_id and hinted in fields:
            return duplicate.contact_id, hinted
        for name, parameter in ours:
            found = self._having(parameter, fields[name])
            if found not in {None, row.hl_id}:
                return found, name
        return duplicate.contact_id, next((name for name, _ in ours), None)

    def _having(self, parameter: str, address: str) -> str | None:
        answer = self.around.client.request(
            "GET",
            "/contacts/search/duplicate",
            route="/contacts/search/duplicate",
            params={"locationId": self.around.location, parameter: address},
        )
        return str(answer["contact"]["id"]) if answer.get("contact") else None

    def _whose(self, holder: str, row: Row, spec: StreamSpec, fields: Mapping[str, Any]) -> str:
        known = self.around.work.holder("contact", holder)
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
        answer = self.around.client.request("GET", f"/contacts/{hl_id}", route="/contacts/{id}")
        return decode(spec, answer["contact"], self.around.catalogue)

    def update(
        self, row: Row, spec: StreamSpec, changes: Mapping[str, Any], current: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Write the changed fields; an address that belongs to another contact is withheld here as well, and cleared.

        One withheld before and written now is withheld no longer, and the tag that told of it goes.
        """
        before: Mapping[str, str] = row.notes.get("withheld", {})
        kept = {name: why for name, why in before.items() if name not in changes}
        withheld: dict[str, str] = {}
        while True:
            fields = _with_tags(row, changes, before, {**kept, **withheld})
            body = encode(
                spec, fields, self.around.catalogue, current=current, ours=row.notes.get("tags", ())
            )
            try:
                self.around.client.request(
                    "PUT", f"/contacts/{row.hl_id}", route=self.update_route, json=body
                )
                break
            except DuplicateContact as duplicate:
                _, name = self._holder(duplicate, row, spec, fields)
                if name is None or name in withheld:
                    raise Rejected("duplicate_contact", name) from duplicate
                withheld[name] = "another_record"
                changes = {**changes, name: None}  # the old address is no longer the patient's
        return {**_notes(fields, {}), "withheld": {**kept, **withheld}}

    def put_back(
        self, row: Row, spec: StreamSpec, before: Mapping[str, Any], current: Mapping[str, Any]
    ) -> None:
        """Write the values of before again; an address that another contact has now is refused, and what is there stays.

        Raises:
            Rejected: for the address; nothing was written.
        """
        body = encode(spec, before, self.around.catalogue, current=current, ours=row.notes.get("tags", ()))
        try:
            self.around.client.request("PUT", f"/contacts/{row.hl_id}", route=self.update_route, json=body)
        except DuplicateContact as duplicate:
            _, name = self._holder(duplicate, row, spec, before)
            raise Rejected("duplicate_contact", name) from duplicate

    def recall(
        self, spec: StreamSpec, wanted: Mapping[str, Any], current: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return which tags came with the create, and which address it had to leave out, as the tag says that came with it."""
        tags = {item.name for item in spec.fields.values() if item.kind == "tags"}
        there = {tag for name in tags for tag in current.get(name) or ()}
        withheld = {
            name: "unknown"
            for name, value in wanted.items()
            if f"shared-{name}" in there and value and not current.get(name)
        }
        ours = {tag for name in tags for tag in wanted.get(name) or ()} | {
            f"shared-{name}" for name in withheld
        }
        return {"tags": sorted(there & ours), **({"withheld": withheld} if withheld else {})}

    def along(self, spec: StreamSpec, names: Iterable[str]) -> set[str]:
        """Return the tags where an address is written: they tell of one that has to be left out."""
        addresses = {item.name for item in spec.fields.values() if item.api_name in dict(_ADDRESSES)}
        tags = {item.name for item in spec.fields.values() if item.kind == "tags"}
        return tags if addresses & set(names) else set()

    def find(self, row: Row, spec: StreamSpec) -> str | None:
        """Search for the contact that carries our id."""
        field = self.around.catalogue.contact_fields.get(IDENTITY)
        if field is None:
            return None
        answer = self.around.client.request(
            "POST",
            "/contacts/search",
            route="/contacts/search",
            json={
                "locationId": self.around.location,
                "pageLimit": 20,
                "page": 1,
                "filters": [{"field": f"customFields.{field.id}", "operator": "eq", "value": row.source_id}],
            },
        )
        found = (
            contact["id"]
            for contact in answer["contacts"]
            if str(custom_values(contact).get(field.id)) == row.source_id
        )
        return next(found, None)

    def remove(self, row: Row) -> None:
        """Delete the contact: only rollback does, and only of what its own run created."""
        self.around.client.request("DELETE", f"/contacts/{row.hl_id}", route=self.remove_route)


def _without(fields: Mapping[str, Any], withheld: Mapping[str, str]) -> dict[str, Any]:
    """Leave the withheld addresses out and tag the contact, so that the clinic can find who shares what."""
    kept = {name: value for name, value in fields.items() if name not in withheld}
    return {**kept, "tags": sorted({*kept.get("tags", ()), *(f"shared-{name}" for name in withheld)})}


def _with_tags(
    row: Row, changes: Mapping[str, Any], before: Mapping[str, str], withheld: Mapping[str, str]
) -> dict[str, Any]:
    """Return the changes with the tags that tell of what is withheld, where these or any other tags are to be written."""
    if "tags" not in changes and set(withheld) == set(before):
        return dict(changes)
    told = {f"shared-{name}" for name in before}
    tags = set(changes["tags"] or ()) if "tags" in changes else set(row.notes.get("tags", ())) - told
    return {**changes, "tags": sorted(tags | {f"shared-{name}" for name in withheld})}


def _notes(fields: Mapping[str, Any], withheld: Mapping[str, str]) -> dict[str, Any]:
    notes: dict[str, Any] = {}
    if withheld:
        notes["withheld"] = dict(withheld)
    if "tags" in fields:
        notes["tags"] = list(fields["tags"])
    return notes


def _same_person(spec: StreamSpec, there: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    """A contact that was there before is adopted only when its whole name and its birth date agree."""
    names = {item.api_name: item.name for item in spec.fields.values() if item.kind == "standard"}
    keys = [names.get(api, "") for api in ("firstName", "lastName", "dateOfBirth")]
    return all(fields.get(key) and _folded(there.get(key)) == _folded(fields.get(key)) for key in keys)


def _folded(value: Any) -> str:
    return " ".join(str(value or "").casefold().split())
