"""Who offers what, where, when and at what price."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from tap_cliniko.rebuild.account import label, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_cliniko.client import Row
    from tap_cliniko.rebuild.account import Account

_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_WEEK = _DAYS[1:]


def locations(account: Account) -> list[dict[str, Any]]:
    """Return the places of the clinic."""
    return [
        {
            "id": text(each["id"]),
            "name": label(each),
            "address": ", ".join(
                text(each[name])
                for name in ("address_1", "address_2", "city", "state", "post_code", "country")
                if each.get(name)
            ),
            "time_zone": text(each.get("time_zone_identifier")),
            "online_booking": bool(each.get("show_in_online_bookings")),
            "reminders": bool(each.get("appointment_reminders_enabled")),
            "reply_to": text(each.get("email_reply_to")),
            "website": text(each.get("website_address")),
            "archived": _archived(each),
        }
        for each in account.all("businesses")
    ]


def prices(account: Account) -> list[dict[str, Any]]:
    """Return what can be billed, with tax and the prices under concessions."""
    taxes = {str(each["id"]): each for each in account.all("taxes")}
    kinds = account.named("concession_types")
    lower = defaultdict[str, list[dict[str, str]]](list)
    for each in account.all("concession_prices"):
        name = kinds.get(text(each.get("concession_type_id")), "?")
        lower[text(each.get("billable_item_id"))].append(
            {"concession": name, "price": text(each.get("price"))}
        )
    return [
        {
            "id": text(each["id"]),
            "name": text(each.get("name")),
            "code": text(each.get("item_code")),
            "kind": text(each.get("item_type")),
            "price": text(each.get("price")),
            "tax": _tax(taxes.get(text(each.get("tax_id")))),
            "concessions": sorted(lower[text(each["id"])], key=lambda price: price["concession"]),
            "archived": _archived(each),
        }
        for each in account.all("billable_items")
    ]


def products(account: Account) -> list[dict[str, Any]]:
    """Return what the clinic sells."""
    taxes = {str(each["id"]): each for each in account.all("taxes")}
    return [
        {
            "id": text(each["id"]),
            "name": text(each.get("name")),
            "code": text(each.get("item_code")),
            "price": text(each.get("price_including_tax")),
            "tax": _tax(taxes.get(text(each.get("tax_id")))),
            "archived": _archived(each),
        }
        for each in account.all("products")
    ]


def services(
    account: Account, items: Sequence[dict[str, Any]], goods: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the appointment types: rules of booking, what they charge, who offers them at which location."""
    charged = _charged(account, items, goods)
    places, people = account.named("businesses"), account.named("practitioners")
    offered = defaultdict[str, list[dict[str, Any]]](list)
    for each in account.pages("services"):
        ids = sorted(each["practitioner_ids"], key=lambda one: people.get(one, "?"))
        offered[text(each.get("appointment_type_id"))].append(
            {
                "location": places.get(text(each.get("business_id")), "?"),
                "practitioners": [people.get(one, "?") for one in ids],
                "practitioner_ids": ids,
            }
        )
    return [
        {
            "id": text(each["id"]),
            "name": text(each.get("name")),
            "category": text(each.get("category")),
            "minutes": each.get("duration_in_minutes"),
            "places": each.get("max_attendees"),
            "online": bool(each.get("show_in_online_bookings")),
            "lead_time_hours": each.get("online_bookings_lead_time_hours"),
            "online_payment": text(each.get("online_payments_mode"))
            if each.get("online_payments_enabled")
            else "",
            "deposit": text(each.get("deposit_price")),
            "video": bool(each.get("telehealth_enabled")),
            "charges": charged[text(each["id"])],
            "offered": sorted(offered[text(each["id"])], key=lambda one: one["location"]),
            "templates": {
                kind: [text(one) for one in each.get(f"appointment_{kind}_template_ids") or []]
                for kind in ("confirmation", "reminder", "follow_up")
            },
            "archived": _archived(each),
        }
        for each in account.all("appointment_types")
    ]


def _by_id(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {each["id"]: each for each in rows}


def _charged(
    account: Account, items: Sequence[dict[str, Any]], goods: Sequence[dict[str, Any]]
) -> defaultdict[str, list[dict[str, Any]]]:
    """Return what each appointment type charges by default."""
    charged = defaultdict[str, list[dict[str, Any]]](list)
    for name, link, known in (
        ("appointment_type_billable_items", "billable_item_id", _by_id(items)),
        ("appointment_type_products", "product_id", _by_id(goods)),
    ):
        for each in account.all(name, hidden=False):
            item = known.get(text(each.get(link)), {})
            money = each.get("is_monetary_discount")
            discount = text(each.get("discounted_amount" if money else "discount_percentage"))
            charged[text(each.get("appointment_type_id"))].append(
                {
                    "item": item.get("name", "?"),
                    "quantity": text(each.get("quantity")),
                    "price": item.get("price", ""),
                    "concessions": item.get("concessions", []),
                    "discount": f"{discount}{'' if money else ' %'}" if discount.strip("0.") else "",
                }
            )
    return charged


def practitioners(account: Account, offers: Sequence[dict[str, Any]], now: str) -> list[dict[str, Any]]:
    """Return who practises: where with which services and hours, with which numbers, and when they are away.

    Args:
        account: the account.
        offers: what `services` returned.
        now: absences that end before this moment are of no interest.
    """
    users = {str(each["id"]): each for each in account.all("users")}
    numbers = _numbers(account)
    hours, more = _hours(account), _blocks(account, "availability_blocks", now)
    # years of them lie in the past; the other list has no such filter
    away = _blocks(account, "unavailable_blocks", now, f"ends_at:>={now}")
    return [
        {
            "id": text(each["id"]),
            "name": label(each),
            "designation": text(each.get("designation")),
            "email": text(users.get(text(each.get("user_id")), {}).get("email")),
            "active": bool(each.get("active")),
            "online_booking": bool(each.get("show_in_online_bookings")),
            "provider_numbers": numbers[text(each["id"])],
            "services": _offered_by(text(each["id"]), offers),
            "hours": hours[text(each["id"])],
            "extra_hours": more[text(each["id"])],
            "absences": away[text(each["id"])],
        }
        for each in account.all("practitioners")
    ]


def _numbers(account: Account) -> defaultdict[str, list[dict[str, str]]]:
    places = account.named("businesses")
    numbers = defaultdict[str, list[dict[str, str]]](list)
    for each in account.all("practitioner_reference_numbers"):
        numbers[text(each.get("practitioner_id"))].append(
            {
                "location": places.get(text(each.get("business_id")), ""),
                "kind": text(each.get("name")),
                "number": text(each.get("reference_number")),
            }
        )
    return numbers


def _offered_by(practitioner: str, offers: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    found = defaultdict[str, list[str]](list)
    for service in offers:
        for place in service["offered"]:
            if practitioner in place["practitioner_ids"]:
                found[place["location"]].append(service["name"])
    return [{"location": place, "services": found[place]} for place in sorted(found)]


def _hours(account: Account) -> defaultdict[str, list[dict[str, Any]]]:
    places = account.named("businesses")
    hours = defaultdict[str, list[dict[str, Any]]](list)
    for each in account.all("daily_availabilities"):
        hours[text(each.get("practitioner_id"))].append(
            {
                "location": places.get(text(each.get("business_id")), "?"),
                "day": _day(each.get("day_of_week")),
                "times": [
                    {"from": text(span.get("starts_at")), "to": text(span.get("ends_at"))}
                    for span in each.get("availabilities") or []
                ],
                "time_zone": text(each.get("time_zone_identifier")),
            }
        )
    for week in hours.values():
        week.sort(key=_place_and_day)
    return hours


def _place_and_day(row: dict[str, Any]) -> tuple[str, int]:
    """Put the week at each location in its own order, from Monday on."""
    return row["location"], _WEEK.index(row["day"]) if row["day"] in _WEEK else len(_WEEK)


def _day(number: Any) -> str:
    return _DAYS[number] if isinstance(number, int) and 0 <= number < len(_DAYS) else text(number)


def _blocks(account: Account, name: str, now: str, *filters: str) -> defaultdict[str, list[dict[str, Any]]]:
    """Return the stretches of time of each practitioner that are to come; what was noted on them may be personal."""
    places, kinds = account.named("businesses"), account.named("unavailable_block_types")
    found = defaultdict[str, list[dict[str, Any]]](list)
    for each in account.all(name, *filters, hidden=False):
        if text(each.get("ends_at")) >= now:
            rule = each.get("repeat_rule") or {}
            found[text(each.get("practitioner_id"))].append(
                {
                    "location": places.get(text(each.get("business_id")), ""),
                    "from": text(each.get("starts_at")),
                    "to": text(each.get("ends_at")),
                    "kind": kinds.get(text(each.get("unavailable_block_type_id")), ""),
                    "repeats": text(rule.get("repeat_type")),
                }
            )
    for blocks in found.values():
        blocks.sort(key=lambda block: block["from"])
    return found


def _tax(tax: Row | None) -> str:
    return f"{text(tax.get('name'))} ({text(tax.get('rate'))} %)" if tax else ""


def _archived(row: Row) -> bool:
    return bool(row.get("archived_at") or row.get("deleted_at"))
