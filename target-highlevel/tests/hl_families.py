"""Families who share e-mails and phones, changed at random, and an answer of its own to who should have each."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from sandbox.clinic.names import phone

if TYPE_CHECKING:
    import random
    from datetime import date

    from sandbox.cliniko.account import Account

EMAILS = [f"home{number}@example.org" for number in range(4)]
PHONES = [f"0491 570 {number}" for number in (156, 157, 158)]
BIRTHS = [
    None,
    "1950-02-03",
    "1979-06-07",
    "1981-08-09",
    "2001-01-01",
    "2012-03-04",
    "2015-05-06",
    "2019-07-08",
]
PARENT, CHILD, SIBLING = 10, 20, 30
_MOST = 12


def gather(account: Account, rng: random.Random) -> None:
    """Give every patient an address that others have too, and tie some to each other."""
    for identity in account.tables["relationships"]:
        if "archived_at" not in account.tables["relationships"][identity]:
            account.archive("relationships", identity)
    for identity in list(account.tables["patients"]):
        account.update("patients", identity, {**_person(rng), "archived_at": None, "deleted_at": None})
    for _ in range(_MOST):
        _tie(account, rng)


def change(account: Account, rng: random.Random) -> None:
    """Change something that may decide who keeps an address."""
    patients = list(account.tables["patients"])
    identity = rng.choice(patients)
    what = rng.randrange(8)
    if what < 3:
        field, value = rng.choice(list(_person(rng).items()))
        account.update("patients", identity, {field: value})
    elif what == 3:
        account.insert(
            "patients", {"first_name": "New", "last_name": f"Comer {rng.random()}", **_person(rng)}
        )
    elif what == 4 and "archived_at" in account.tables["patients"][identity]:
        account.unarchive("patients", identity)
    elif what == 4:
        account.archive("patients", identity)
    elif what == 5:
        ties = [row["id"] for row in account.tables["relationships"].rows() if "archived_at" not in row]
        if ties:
            account.archive("relationships", rng.choice(ties))
    else:
        _tie(account, rng)


def _person(rng: random.Random) -> dict[str, Any]:
    return {
        "email": rng.choice([*EMAILS, None]),
        "patient_phone_numbers": [phone(rng.choice(PHONES))] if rng.random() < 0.8 else [],
        "date_of_birth": rng.choice(BIRTHS),
        "accepted_email_marketing": rng.choice([True, False, None]),
        "accepted_sms_marketing": rng.choice([True, False, None]),
    }


def _tie(account: Account, rng: random.Random) -> None:
    one, other = rng.sample(list(account.tables["patients"]), 2)
    relation = rng.choice([PARENT, CHILD, SIBLING])
    values = {"patient_id": one, "related_patient_id": other, "relation": relation}
    account.insert("relationships", values)


def answer(account: Account, today: date) -> dict[tuple[str, str], str]:
    """Return who should have each shared address, from Cliniko's tables alone: (field, source) → keeper's source."""
    people = {row["id"]: row for row in account.tables["patients"].rows()}
    parents = set()
    for tie in account.tables["relationships"].rows():
        if "archived_at" not in tie and tie["relation"] in {PARENT, CHILD}:
            pair = (tie["related_patient_id"], tie["patient_id"])
            parents.add(pair if tie["relation"] == PARENT else pair[::-1])
    found = {}
    for field, consent in (("email", "accepted_email_marketing"), ("phone", "accepted_sms_marketing")):
        homes: defaultdict[str, list[str]] = defaultdict(list)
        for identity, row in people.items():
            if address := _address(row, field):
                homes[address].append(identity)
        for home in homes.values():
            best = _best(home, people, parents, consent, today)
            found.update({(field, f"patients/{identity}"): f"patients/{best}" for identity in home})
    return found


def _address(row: Any, field: str) -> Any:
    if field == "email":
        return row.get("email") or None
    numbers = row.get("patient_phone_numbers") or []
    return numbers[0]["number"] if numbers else None


def _best(
    home: list[str], people: dict[str, Any], parents: set[tuple[str, str]], consent: str, today: date
) -> str:
    """Ask one question after the other; one that nobody passes decides nothing."""

    def is_child(identity: str) -> bool:
        return any((other, identity) in parents for other in home)

    def is_minor(identity: str) -> bool:
        born = people[identity].get("date_of_birth")
        if not born:
            return False
        year, month, day = map(int, born.split("-"))
        return today.year - year - ((today.month, today.day) < (month, day)) < 18

    left = home
    for fails in (
        is_child,
        is_minor,
        lambda identity: "archived_at" in people[identity],
        lambda identity: people[identity].get(consent) is False,
    ):
        left = [identity for identity in left if not fails(identity)] or left
    return min(left, key=lambda identity: (people[identity].get("date_of_birth") or "~", int(identity)))
