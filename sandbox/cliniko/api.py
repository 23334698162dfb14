"""The emulated Cliniko API as an ASGI app."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections import defaultdict
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from sandbox.cliniko.catalogue import ALLOWED, RESOURCES, Area
from sandbox.cliniko.filters import BadRequestError
from sandbox.cliniko.listing import Listing, Selections, hidden_of, parse_conditions, parse_sort
from sandbox.cliniko.render import Renderer
from sandbox.cliniko.routes import ListRoute, RecordRoute, UnknownPathError, find_route, is_conflicts
from sandbox.control import SlidingWindow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.cliniko.account import Account
    from sandbox.cliniko.files import FileHost
    from sandbox.cliniko.options import ClinikoOptions
    from sandbox.cliniko.table import Row
    from sandbox.control import Control, Request
    from sandbox.gate import Receive, Scope, Send

BASE_PATH = "/v1"
WINDOW_SECONDS = 60.0
MAX_PER_PAGE = 100
DEFAULT_PER_PAGE = 50
_USER_AGENT = re.compile(r".+ \([^@\s()]+@[^@\s()]+\)")
_REVEALING = frozenset({"archived_at", "cancelled_at", "deleted_at"})
_PRIVATE_SETTINGS = ("email_from", "first_name", "last_name", "compliance")

Answer = tuple[int, Any, dict[str, str]]


class RefusedError(Exception):
    """A request that is answered with a status and nothing else."""

    def __init__(
        self, status: HTTPStatus, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> None:
        """Take the answer."""
        super().__init__(status)
        self.answer: Answer = (status.value, body, dict(headers or {}))


NOT_FOUND = {"status": "404", "error": "Not Found"}


class ClinikoApi:
    """Serves an account; `files` is the other host that holds the bytes."""

    def __init__(self, account: Account, options: ClinikoOptions, control: Control, files: FileHost) -> None:
        """Take the data and the switches."""
        self._account = account
        self._options = options
        self._control = control
        self._files = files
        self._renderer = Renderer(account, options)
        self._selections = Selections(
            account, unstable_ties=options.unstable_ties, late_seconds=options.late_seconds
        )
        self._windows: dict[str, SlidingWindow] = defaultdict(lambda: SlidingWindow(WINDOW_SECONDS))

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Serve one request."""
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        try:
            with self._account.lock:
                status, body, extra = self._answer(scope, headers, scope["sandbox.request"])
        except RefusedError as refused:
            status, body, extra = refused.answer
        except BadRequestError as error:
            status, body, extra = HTTPStatus.BAD_REQUEST.value, {"message": str(error)}, {}
        except UnknownPathError:
            status, body, extra = HTTPStatus.NOT_FOUND.value, NOT_FOUND, {}
        content = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
        fields = {
            "content-type": "application/json; charset=utf-8",
            "content-length": str(len(content)),
            **extra,
        }
        raw = [(key.lower().encode("latin-1"), value.encode("latin-1")) for key, value in fields.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": content})

    def _answer(self, scope: Scope, headers: Mapping[str, str], request: Request) -> Answer:
        user = self._authenticated(headers.get("authorization", ""))
        request.account = f"users/{user['id']}"
        self._check_budget(user["id"])
        self._check_user_agent(headers.get("user-agent", ""))
        if request.method != "GET":
            self._control.violation("write_to_cliniko", f"{request.method} {request.path}", request)
            raise RefusedError(HTTPStatus.METHOD_NOT_ALLOWED)
        path = scope["path"]
        if not path.startswith(f"{BASE_PATH}/"):
            raise UnknownPathError(path)
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        base = f"{scope.get('scheme', 'http')}://{headers.get('host', '')}{BASE_PATH}"
        return self._get(path[len(BASE_PATH) :], query, base, user, request)

    def _authenticated(self, authorization: str) -> Row:
        scheme, _, encoded = authorization.partition(" ")
        try:
            name, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            name, colon, password = "", "", ""
        if scheme.lower() != "basic" or not colon or password:
            raise RefusedError(HTTPStatus.UNAUTHORIZED, {"message": "HTTP Basic: Access denied."})
        for key, user in self._account.api_keys.items():
            if name in {key, key.rpartition("-")[0]}:
                return self._account.tables["users"][user]
        raise RefusedError(HTTPStatus.UNAUTHORIZED, {"message": "HTTP Basic: Access denied."})

    def _check_budget(self, user: str) -> None:
        limit = self._options.requests_per_minute
        window, now = self._windows[user], self._control.now()
        if limit and window.count(now) >= limit:
            reset = {"X-RateLimit-Reset": str(math.ceil(window.free_at(now)))}
            raise RefusedError(HTTPStatus.TOO_MANY_REQUESTS, {"message": "Rate limit exceeded"}, reset)
        window.add(now)

    def _check_user_agent(self, agent: str) -> None:
        if _USER_AGENT.fullmatch(agent):
            return
        self._control.violation("user_agent", "the User-Agent is not NAME (EMAIL)")
        if self._options.require_user_agent:
            raise RefusedError(
                HTTPStatus(self._options.require_user_agent), {"message": "Invalid User-Agent"}
            )

    def _get(self, path: str, query: list[tuple[str, str]], base: str, user: Row, request: Request) -> Answer:
        if (single := self._singleton(path, query, base, user, request)) is not None:
            return single
        route = find_route(
            path, self._account, legacy=self._options.legacy_paths, recalls=self._options.recalls
        )
        if route.template == "/practitioners/inactive" and not self._options.inactive_practitioners:
            raise UnknownPathError(path)
        request.route = route.template
        self._check_role(user, _area(route.resource))
        if isinstance(route, ListRoute):
            return 200, self._list(route, path, query, base, user), {}
        return 200, self._record(route, query, base), {}

    def _singleton(
        self, path: str, query: list[tuple[str, str]], base: str, user: Row, request: Request
    ) -> Answer | None:
        """Answer the paths that are neither a list of rows nor a row of their own."""
        parts = path.strip("/").split("/")
        match parts:
            case ["user"]:
                answer: Answer = 200, self._renderer.record("users", user, base), {}
            case ["settings", "public"]:
                answer = 200, self._public_settings(), {}
            case ["settings"]:
                self._check_role(user, Area.SETTINGS)
                answer = 200, self._account.settings, {}
            case ["services"] | ["businesses", _, "services"]:
                answer = 200, self._services(parts, query, base), {}
            case ["patient_attachments", identity, "content"]:
                request.route = "/patient_attachments/{id}/content"
                return self._content(identity, user)
            case _ if is_conflicts(parts, self._account):
                answer = 200, {"conflicts": {"exist": False}}, {}
            case _:
                return None
        request.route = re.sub(r"/\d+", "/{id}", path)
        return answer

    def _check_role(self, user: Row, area: Area) -> None:
        if area not in ALLOWED[user["role"]]:
            raise RefusedError(HTTPStatus.FORBIDDEN)

    def _public_settings(self) -> dict[str, Any]:
        account = self._account.settings["account"]
        private = _PRIVATE_SETTINGS if self._options.public_account_id else (*_PRIVATE_SETTINGS, "id")
        shown = {key: value for key, value in account.items() if key not in private}
        return {**self._account.settings, "account": shown}

    def _services(self, parts: list[str], query: list[tuple[str, str]], base: str) -> dict[str, Any]:
        wanted = [one for one in self._account.services if len(parts) == 1 or one["business_id"] == parts[1]]
        page, per_page = _paging(query)
        shown = wanted[(page - 1) * per_page : page * per_page]
        records = [self._renderer.service(service, base) for service in shown]
        links = _page_links(f"{base}/{'/'.join(parts)}", query, len(wanted))
        return {"services": records, "total_entries": len(wanted), "links": links}

    def _content(self, identity: str, user: Row) -> Answer:
        self._check_role(user, Area.FILE_CONTENT)
        table = self._account.tables["patient_attachments"]
        if identity not in table or table[identity].get("processing_completed") is False:
            raise UnknownPathError(identity)
        url = self._files.signed_url(identity, self._options.file_url_seconds)
        return HTTPStatus.SEE_OTHER.value, None, {"Location": url, "Cache-Control": "no-store"}

    def _record(self, route: RecordRoute, query: list[tuple[str, str]], base: str) -> dict[str, Any]:
        try:
            row = (
                self._account.booking(route.identity)[1]
                if route.resource == "bookings"
                else self._account.tables[route.resource][route.identity]
            )
        except KeyError:
            raise UnknownPathError(route.identity) from None
        conditions = parse_conditions(route.resource, _filters(query), _REVEALING)
        named = {condition.field for condition in conditions}
        hides = any(column in row for column in hidden_of(route.resource) if column not in named)
        if hides or not all(condition.test(row) for condition in conditions):
            raise UnknownPathError(route.identity)
        record = self._renderer.record(route.resource, row, base)
        if self._options.invoice_detail and route.resource == "invoices":
            record["payments"] = []
        return record

    def _list(
        self, route: ListRoute, path: str, query: list[tuple[str, str]], base: str, user: Row
    ) -> dict[str, Any]:
        given = dict(query)
        page, per_page = _paging(query)
        listing = Listing(
            resource=route.resource,
            conditions=parse_conditions(route.resource, _filters(query), route.filterable),
            sort=parse_sort(route.resource, given.get("sort"), given.get("order"), self._options),
            page=page,
            per_page=per_page,
            scope=route.scope,
            only=route.only,
            hidden=hidden_of(route.resource) if route.hidden is None else route.hidden,
        )
        total, rows = self._selections.page(listing)
        if self._options.hide_rows_by_role:
            rows = [row for row in rows if _shown_to(user, route.resource, row)]
        records = [self._renderer.record(route.resource, row, base) for row in rows]
        if route.template == "/patients/deleted":
            records = [{"deleted_at": one["deleted_at"], "links": one["links"]} for one in records]
        links = _page_links(f"{base}{path}", query, total)
        totals = {"total_entries": total} if self._options.total_entries else {}
        return {route.key: records, **totals, "links": links}


def _area(resource: str) -> Area:
    return Area.CALENDAR if resource == "bookings" else RESOURCES[resource].area


def _filters(query: list[tuple[str, str]]) -> list[str]:
    return [value for key, value in query if key in {"q[]", "q"}]


def _whole(text: str | None, default: int, most: int) -> int:
    """Read a page number or size; what is no number counts as not given, what is too large is cut."""
    if text is None or not re.fullmatch(r"\d{1,9}", text):
        return default
    return min(max(int(text), 1), most)


def _paging(query: list[tuple[str, str]]) -> tuple[int, int]:
    """Read which page is asked for, and how many rows it has."""
    given = dict(query)
    page = _whole(given.get("page"), 1, 10**9)
    return page, _whole(given.get("per_page"), DEFAULT_PER_PAGE, MAX_PER_PAGE)


def _page_links(url: str, query: list[tuple[str, str]], total: int) -> dict[str, str]:
    page, per_page = _paging(query)

    def at(number: int) -> str:
        kept = [(key, value) for key, value in query if key not in {"page", "per_page"}]
        return f"{url}?{urlencode([*kept, ('page', str(number)), ('per_page', str(per_page))])}"

    links = {"self": at(page)}
    if page * per_page < total:
        links["next"] = at(page + 1)
    if page > 1:
        links["previous"] = at(page - 1)
    return links


def _shown_to(user: Row, resource: str, row: Row) -> bool:
    """Tell whether a role below administrator is shown a row of a list it may read."""
    if user["role"] == "administrator":
        return True
    return not (
        (resource == "communications" and row.get("confidential"))
        or (resource == "treatment_notes" and row.get("draft"))
        or (resource == "patient_forms" and row.get("restricted_to_practitioner"))
    )
