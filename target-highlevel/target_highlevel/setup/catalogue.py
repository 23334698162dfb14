"""What the sub-account offers: ids of fields, options, associations, users and calendars, read once a run."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from target_highlevel.client.paging import list_pages
from target_highlevel.errors import NotFound, SettingsError, Unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_highlevel.client.client import Requests


@dataclass
class Field:
    """A field of a contact or of a custom object; ``options`` maps label to what a write must send.

    Its name, and whether forms show it, are the clinic's to change: they are kept for the requests that have to repeat them.
    """

    id: str
    data_type: str
    options: dict[str, str] = field(default_factory=dict)
    name: str | None = None
    in_forms: bool = False


@dataclass(frozen=True)
class User:
    """A login of the sub-account."""

    id: str
    email: str


def slug(label: str) -> str:
    """Return the key HighLevel makes of a label: lower case, anything else an underscore."""
    return re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")


class Catalogue:
    """The sub-account's definitions. Reads lazily; ``schema`` adds what is missing."""

    def __init__(
        self,
        client: Requests,
        location: str,
        fallback_email: str | None,
        *,
        blockers: list[str] | None = None,
    ) -> None:
        """Know nothing yet. With ``blockers``, what would stop a load is put there instead of being raised."""
        self._blockers = blockers
        self._client = client
        self.location = location
        self._fallback_email = fallback_email
        self.settings: dict[str, Any] = {}
        self.users: dict[str, User] = {}
        self.contact_fields: dict[str, Field] = {}
        self.object_keys: set[str] = set()
        self.object_fields: dict[str, dict[str, Field]] = {}
        self.folders: dict[str, str] = {}
        self.associations: dict[str, str] = {}
        self.overflow: dict[str, list[str]] = {}
        self._calendars: dict[str, str] | None = None
        self._teams: dict[str, list[str]] = {}
        self.fallback_owner: str | None = None

    def read(self) -> None:
        """Read the sub-account's settings, users, contact fields, objects and associations.

        Raises:
            SettingsError: the sub-account is not there, or no user can own a patient.
            CredentialsRefused: the token may not read one of them.
        """
        where = f"/locations/{self.location}"
        self.settings = self._client.request("GET", where, route="/locations/{id}")["location"]
        self._read_users()
        self.read_contact_fields()
        self.read_objects()
        self.read_associations()

    def read_contact_fields(self) -> None:
        """Read the custom fields of contacts."""
        path = f"/locations/{self.location}/customFields"
        fields = self._client.request(
            "GET", path, route="/locations/{id}/customFields", params={"model": "contact"}
        )
        self.contact_fields = {
            item["fieldKey"].partition(".")[2]: Field(
                item["id"],
                item["dataType"],
                {text: text for text in option_texts(item.get("picklistOptions"))},
                name=item.get("name"),
            )
            for item in fields["customFields"]
        }

    def read_objects(self) -> None:
        """Read which kinds of objects there are; a list may lag, so what was just made is kept."""
        objects = self._client.request(
            "GET", "/objects/", route="/objects/", params={"locationId": self.location}
        )
        self.object_keys.update(item["key"] for item in objects["objects"])

    def _read_users(self) -> None:
        listed = [User(item["id"], str(item.get("email", "")).casefold()) for item in self._listed_users()]
        self.users = {user.email: user for user in listed if user.email}
        if self._fallback_email:
            found = self.users.get(self._fallback_email.casefold())
            if found is None:
                msg = (
                    "fallback_owner: no user of this sub-account has that e-mail;"
                    " set TARGET_HIGHLEVEL_FALLBACK_OWNER to one that exists"
                )
                self._block(msg)
                return
            self.fallback_owner = found.id
        elif len(listed) == 1:
            self.fallback_owner = listed[0].id
        else:
            msg = "set TARGET_HIGHLEVEL_FALLBACK_OWNER: the e-mail of the user who owns patients without a matched practitioner"
            self._block(msg)

    def _listed_users(self) -> list[dict[str, Any]]:
        """Return the users. Their list is deprecated (highlevel-api.md section 14): where it is gone, they are searched."""
        params = {"locationId": self.location}
        try:
            return list(self._client.request("GET", "/users/", route="/users/", params=params)["users"])
        except NotFound:
            params["companyId"] = str(self.settings.get("companyId") or "")
            where = "/users/search"
            return [user for page in list_pages(self._client, where, where, params, "users") for user in page]

    def _block(self, problem: str) -> None:
        if self._blockers is None:
            raise SettingsError(problem)
        self._blockers.append(problem)

    def read_associations(self) -> None:
        """Read every association."""
        where, params = "/associations/", {"locationId": self.location}
        for page in list_pages(self._client, where, where, params, "associations"):
            self.associations.update({item["key"]: item["id"] for item in page})

    def read_object(self, key: str) -> None:
        """Read the fields and folders of a custom object."""
        answer = self._client.request(
            "GET",
            f"/custom-fields/object-key/{key}",
            route="/custom-fields/object-key/{key}",
            params={"locationId": self.location},
        )
        self.object_fields[key] = {
            item["fieldKey"].rpartition(".")[2]: object_field(item) for item in answer.get("fields", ())
        }
        if answer.get("folders"):
            self.folders[key] = answer["folders"][0]["id"]

    def contact_field(self, name: str) -> Field:
        """Return a custom field of contacts.

        Raises:
            SettingsError: it is not there although the schema was set up.
        """
        try:
            return self.contact_fields[name]
        except KeyError:
            msg = f"contact field contact.{name} is missing in HighLevel; create it or run again"
            raise SettingsError(msg) from None

    def object_field(self, key: str, name: str) -> Field:
        """Return a field of a custom object.

        Raises:
            SettingsError: it is not there although the schema was set up.
        """
        try:
            return self.object_fields[key][name]
        except KeyError:
            msg = f"field {name} of {key} is missing in HighLevel; create it or run again"
            raise SettingsError(msg) from None

    def association_ids(self, key: str) -> list[str]:
        """Return the ids of an association and of those it continues under, in order."""
        keys = self.overflow.get(key, [key])
        return [self.associations[name] for name in keys if name in self.associations]

    def expect_calendar(self, wanted: str) -> None:
        """Look whether the calendar for all events is there: without it every single one would be refused.

        Raises:
            SettingsError: it is not.
        """
        found = {item["id"]: item for item in self._listed_calendars()}
        if wanted not in found:
            self._block(
                "calendar_id: no calendar of this sub-account has that id;"
                " set TARGET_HIGHLEVEL_CALENDAR_ID to one that exists, or leave it out"
            )
        elif found[wanted].get("isActive") is False:
            self._block("calendar_id: that calendar is not active; activate it in HighLevel")

    def calendar(self, name: str, *, make: bool) -> str | None:
        """Return the calendar of that name; when there is none, make it or return None."""
        if self._calendars is None:
            self._calendars = self._read_calendars()
        if make and name not in self._calendars:
            try:
                self._calendars[name] = self._create_calendar(name)
            except Unknown:
                self._calendars = self._read_calendars()
                if name not in self._calendars:
                    self._calendars[name] = self._create_calendar(name)
        return self._calendars.get(name)

    def _read_calendars(self) -> dict[str, str]:
        return {item["name"]: item["id"] for item in self._listed_calendars()}

    def _listed_calendars(self) -> list[dict[str, Any]]:
        answer = self._client.request(
            "GET", "/calendars/", route="/calendars/", params={"locationId": self.location}
        )
        for item in answer["calendars"]:
            self._teams[item["id"]] = [member["userId"] for member in item.get("teamMembers") or ()]
        return list(answer["calendars"])

    def of_team(self, calendar: str, user: str | None) -> str | None:
        """Return the user if an event in that calendar can be theirs, else the first of its team.

        An event in a team's calendar is refused for anybody else, and for nobody (highlevel-api.md section 14).
        """
        if calendar not in self._teams:
            self._listed_calendars()
        team = self._teams.setdefault(calendar, [])
        return user if not team or user in team else team[0]

    def _create_calendar(self, name: str) -> str:
        """Every user is in its team, because only a member can be assigned; nobody is told of anything."""
        body = {
            "locationId": self.location,
            "name": name,
            "calendarType": "round_robin",
            "teamMembers": [{"userId": user.id} for user in self.users.values()],
            "notifications": [],
            "shouldSendAlertEmailsToAssignedMember": False,
            "googleInvitationEmails": False,
            "isActive": True,
        }
        answer = self._client.request("POST", "/calendars/", route="/calendars/", json=body)
        identity = str((answer.get("calendar") or answer)["id"])
        self._teams[identity] = [user.id for user in self.users.values()]
        return identity

    def allows_duplicates(self) -> bool:
        """Return whether the sub-account lets two contacts share an e-mail or a phone."""
        return bool((self.settings.get("settings") or {}).get("allowDuplicateContact"))


def option_texts(options: Any) -> list[str]:
    """Return the texts of a contact field's options, which come as strings or as objects."""
    return [
        item if isinstance(item, str) else str(item.get("label", item.get("name", "")))
        for item in options or ()
    ]


def object_field(item: Mapping[str, Any]) -> Field:
    """Return a field of a custom object as the API describes it; its options are written by key."""
    options = dict(map(_option, item.get("options") or ()))
    in_forms = bool(item.get("showInForms"))
    return Field(item["id"], item["dataType"], options, name=item.get("name"), in_forms=in_forms)


def _option(option: Any) -> tuple[str, str]:
    """Return label and key of an option; one that comes as its label only has the key that is made of it."""
    if isinstance(option, str):
        return option, slug(option)
    label = str(option.get("label") or option.get("name") or option.get("key"))
    return label, str(option.get("key") or slug(label))
