"""The reference as sections of a page: what there is, how to build it, and the facts in tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_cliniko.rebuild.parts import Section, Table
from tap_cliniko.rebuild.recipe_tables import automations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tap_cliniko.rebuild.parts import Reference


def sections(reference: Reference) -> list[Section]:
    """Return the whole document."""
    writers: tuple[Callable[[Reference], Section], ...] = (
        automations,
        _messages,
        _services,
        _offered,
        _prices,
        _concessions,
        _products,
        _locations,
        _practitioners,
        _availability,
        _away,
        _online_booking,
        _form_templates,
        _note_templates,
        _custom_fields,
        _templates_in_use,
        _users,
    )
    written = [writer(reference) for writer in writers]
    if reference["not_readable"]:
        how = (
            "The key's role may not read these, or the account does not have them, so what is said above about "
            "them is missing. An administrator's key reads everything."
        )
        rows = [(name,) for name in reference["not_readable"]]
        written.append(Section("Not readable with this key", how, [Table(("list",), rows)]))
    return written


def _messages(reference: Reference) -> Section:
    rows = [
        (each["category"], each["channel"], each["direction"], str(each["number"]))
        for each in reference["messages"]
    ]
    how = (
        "What the clinic really sends and gets, most frequent first. What people write by hand stays by hand."
    )
    table = Table(("category", "channel", "direction", "messages"), rows)
    return Section("Messages sent so far", how, [table])


def _services(reference: Reference) -> Section:
    rows = [
        (
            each["name"],
            each["category"],
            f"{_number(each['minutes'])} min",
            _number(each["places"]),
            _yes(each["online"]),
            _yes(each["video"]),
            each["deposit"],
            "; ".join(map(_charge, each["charges"])),
            _archived(each),
        )
        for each in reference["services"]
    ]
    columns = ("type", "category", "length", "places", "online", "video", "deposit", "charges", "")
    how = "Create one calendar (or one service) per type that is still in use, with this length."
    return Section("Appointment types", how, [Table(columns, rows)])


def _charge(charge: Mapping[str, Any]) -> str:
    quantity = "" if charge["quantity"] in {"", "1", "1.0"} else f"{charge['quantity']} x "
    discount = f" less {charge['discount']}" if charge["discount"] else ""
    return f"{quantity}{charge['item']} {charge['price']}{discount}".strip()


def _offered(reference: Reference) -> Section:
    rows = [
        (
            service["name"],
            place["location"],
            ", ".join(place["practitioners"]),
            "; ".join(map(_charge, service["charges"])),
            "; ".join(
                f"{lower['concession']}: {lower['price'] or 'as usual'}"
                for charge in service["charges"]
                for lower in charge["concessions"]
            ),
        )
        for service in reference["services"]
        for place in service["offered"]
    ]
    how = "Add these people to the type's calendar, one calendar per location where several offer it."
    table = Table(("type", "location", "practitioners", "charges", "concessions"), rows)
    return Section("Who offers what where", how, [table])


def _prices(reference: Reference) -> Section:
    rows = [
        (each["name"], each["code"], each["kind"], each["price"], each["tax"], _archived(each))
        for each in reference["prices"]
    ]
    how = "Create a product with one price for each that is still in use (Payments, Products); add the tax there."
    return Section("Prices", how, [Table(("item", "code", "kind", "price", "tax", ""), rows)])


def _concessions(reference: Reference) -> Section:
    rows = [
        (price["concession"], each["name"], price["price"])
        for each in reference["prices"]
        for price in each["concessions"]
    ]
    how = "There is no concession in HighLevel: make a price of its own for each, or a discount."
    return Section("Concession prices", how, [Table(("concession", "service", "price"), sorted(rows))])


def _products(reference: Reference) -> Section:
    rows = [
        (each["name"], each["code"], each["price"], each["tax"], _archived(each))
        for each in reference["products"]
    ]
    how = "Create a product for each that is still sold. Stock does not move."
    return Section("Products", how, [Table(("product", "code", "price", "tax", ""), rows)])


def _locations(reference: Reference) -> Section:
    rows = [
        (
            each["name"],
            each["address"],
            each["time_zone"],
            _yes(each["online_booking"]),
            _yes(each["reminders"]),
            each["reply_to"],
            _archived(each),
        )
        for each in reference["locations"]
    ]
    how = "Enter address and zone in the business profile, or one sub-account per location."
    columns = ("location", "address", "time zone", "online", "reminders", "reply to", "")
    return Section("Locations", how, [Table(columns, rows)])


def _practitioners(reference: Reference) -> Section:
    rows = [
        (
            each["name"],
            each["designation"],
            each["email"],
            _yes(each["active"]),
            _yes(each["online_booking"]),
            "; ".join(
                f"{one['number']} ({one['location'] or one['kind']})" for one in each["provider_numbers"]
            ),
        )
        for each in reference["practitioners"]
    ]
    how = (
        "Provider numbers have no place of their own in HighLevel: put them into the user's signature, or into "
        "custom values that invoices and letters use."
    )
    columns = ("practitioner", "profession", "e-mail", "active", "online", "provider numbers")
    return Section("Practitioners and provider numbers", how, [Table(columns, rows)])


def _availability(reference: Reference) -> Section:
    rows = [
        (
            each["name"],
            day["location"],
            day["day"],
            ", ".join(f"{span['from']} to {span['to']}" for span in day["times"]),
            day["time_zone"],
        )
        for each in sorted(reference["practitioners"], key=lambda one: str(one["name"]))
        for day in each["hours"]
    ]
    how = "Enter these as the opening hours of each practitioner's calendar, then check one week."
    columns = ("practitioner", "location", "day", "hours", "time zone")
    return Section("Weekly availability", how, [Table(columns, rows)])


def _away(reference: Reference) -> Section:
    columns = ("practitioner", "location", "from", "to", "kind", "repeats")
    tables = [
        Table(
            columns,
            [
                (
                    each["name"],
                    block["location"],
                    _clock(block["from"]),
                    _clock(block["to"]),
                    block["kind"],
                    block["repeats"],
                )
                for each in reference["practitioners"]
                for block in each[name]
            ],
            title,
        )
        for name, title in (("absences", "Absences"), ("extra_hours", "Extra hours"))
    ]
    how = "To come, in UTC. Block the absences in the calendar, and add the extra hours as hours of a date."
    return Section("Absences and extra hours", how, tables)


def _clock(moment: str) -> str:
    return moment[:16].replace("T", " ")


def _online_booking(reference: Reference) -> Section:
    rows = [(each["area"], each["setting"], each["value"]) for each in reference["settings"]]
    rows += [
        (each["name"], "lead time", f"{_number(each['lead_time_hours'])} h")
        for each in reference["services"]
        if each["online"]
    ]
    how = "Set the booking rules of each calendar like this; video links come from the calendar's provider."
    return Section("Online booking, payment, reminders", how, [Table(("area", "setting", "value"), rows)])


def _form_templates(reference: Reference) -> Section:
    how = "Build each as a form or survey; connect name, address and phone to the contact's fields."
    return Section("Patient form templates", how, [_questions(reference["form_templates"])])


def _note_templates(reference: Reference) -> Section:
    how = "Notes arrive as text. To go on writing such notes, rebuild each template as a form."
    return Section("Treatment note templates", how, [_questions(reference["note_templates"])])


def _questions(templates: Iterable[Mapping[str, Any]]) -> Table:
    rows = [
        (
            each["name"],
            question["section"],
            question["question"],
            question["kind"],
            ", ".join(question["options"]),
            _yes(question["required"]),
            question["build_as"],
        )
        for each in templates
        for question in each["questions"]
    ]
    return Table(("template", "section", "question", "kind", "options", "required", "build as"), rows)


def _custom_fields(reference: Reference) -> Section:
    rows = [
        (
            each["section"],
            each["field"],
            each["kind"],
            ", ".join(each["options"]),
            each["token"],
            _archived(each),
        )
        for each in reference["custom_fields"]
    ]
    how = "Values move with the patients; create fields of your own for those you want to search or show."
    table = Table(("section", "field", "kind", "options", "token", ""), rows)
    return Section("Patient custom fields", how, [table])


def _templates_in_use(reference: Reference) -> Section:
    kinds = ("confirmation", "reminder", "follow_up")
    rows = [
        (each["name"], *(", ".join(each["templates"][kind]) for kind in kinds))
        for each in reference["services"]
    ]
    how = (
        "Cliniko's API gives the ids of the templates only. Types with the same ids share their texts: copy "
        "each from Cliniko (Settings, Communication templates) once."
    )
    table = Table(("type", "confirmation", "reminder", "follow-up"), rows)
    return Section("Message templates in use", how, [table])


def _users(reference: Reference) -> Section:
    rows = [
        (each["name"], each["email"], each["role"], _yes(each["practitioner"]), _yes(each["active"]))
        for each in reference["users"]
    ]
    how = "Invite each active person with this e-mail address: it decides who owns which patient."
    return Section(
        "Users and roles", how, [Table(("name", "e-mail", "role", "practitioner", "active"), rows)]
    )


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _yes(value: bool) -> str:  # noqa: FBT001 - the value to write
    return "yes" if value else "no"


def _archived(item: Mapping[str, Any]) -> str:
    return "archived" if item["archived"] else ""
