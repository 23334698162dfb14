"""The whole reference as one document: what the page shows and what the JSON holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_cliniko.rebuild.account import Account, text
from tap_cliniko.rebuild.automations import Surroundings, automations
from tap_cliniko.rebuild.forms import own_fields, templates
from tap_cliniko.rebuild.messages import Messages
from tap_cliniko.rebuild.offers import locations, practitioners, prices, products, services

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_cliniko.client import ClinikoClient

VERSION = 1
_SETTINGS = ("online_bookings", "online_payments", "reminders", "wait_list", "sms", "terminology")


def reference(client: ClinikoClient, now: str) -> dict[str, Any]:
    """Read the account and return the reference, as `docs/rebuild-reference.schema.json` describes it.

    Args:
        client: the account.
        now: the moment from which on hours and absences are of interest.
    """
    account = Account(client)
    messages = Messages(account)
    settings = account.one("public_settings")
    items, goods = prices(account), products(account)
    offers = services(account, items, goods)
    forms = templates(account, "patient_form_templates")
    around = Surroundings(
        types=list(account.all("appointment_types")),
        settings=settings,
        forms=len(forms),
        recalls=list(account.pages("recalls")),
        recall_types={str(each["id"]): text(each.get("name")) for each in account.pages("recall_types")},
    )
    return {
        "version": VERSION,
        "written_at": now,
        "clinic": text((settings.get("account") or {}).get("name")),
        "automations": automations(messages, around),
        "messages": [
            {"category": category, "channel": channel, "direction": direction, "number": number}
            for (category, channel, direction), number in sorted(
                messages.counted.items(), key=lambda item: (-item[1], item[0])
            )
        ],
        "locations": locations(account),
        "practitioners": practitioners(account, offers, now),
        "services": offers,
        "prices": items,
        "products": goods,
        "settings": [
            {"area": area.replace("_", " "), "setting": name, "value": value}
            for area in _SETTINGS
            for name, value in _leaves(settings.get(area))
        ],
        "form_templates": forms,
        "note_templates": templates(account, "treatment_note_templates"),
        "custom_fields": own_fields(settings.get("patient_custom_fields_definition")),
        "users": _users(account),
        "not_readable": sorted(account.refused),
    }


def _users(account: Account) -> list[dict[str, Any]]:
    practising = {text(each.get("user_id")) for each in account.all("practitioners")}
    return [
        {
            "name": f"{text(each.get('first_name'))} {text(each.get('last_name'))}".strip(),
            "email": text(each.get("email")),
            "role": text(each.get("role")),
            "practitioner": str(each["id"]) in practising,
            "active": bool(each.get("active")),
        }
        for each in account.all("users")
    ]


def _leaves(tree: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Walk through a settings group and name each value by its path."""
    if isinstance(tree, dict):
        for name, value in tree.items():
            yield from _leaves(value, f"{path} {name}".strip().replace("_", " "))
    elif isinstance(tree, list):
        yield path, ", ".join(map(text, tree))
    elif tree is not None:
        yield path, {True: "yes", False: "no"}[tree] if isinstance(tree, bool) else text(tree)
