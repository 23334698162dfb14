"""Judges what came back: a value, or an error of the kind that says what to do, and whether to try again.

After a 429 nothing was done, so anything may be repeated; so may whatever never left. Everything else is
repeated only if doing it twice equals doing it once: a create whose answer was lost or useless is `Unknown`,
for its caller to find out about.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from target_highlevel.errors import (
    CredentialsRefused,
    DayBudgetSpent,
    DuplicateContact,
    Findings,
    HighLevelError,
    NotFound,
    Refused,
    SettingsError,
    Unavailable,
    Unknown,
)
from target_highlevel.http.allowed_paths import only_reads
from target_highlevel.http.bodies import decode
from target_highlevel.http.error_messages import (
    UNEXPLAINED,
    findings_of,
    is_about_the_route,
    names_the_thing_itself,
    says_gone,
    says_only_others_are_gone,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_UNREADABLE = object()
_WITHOUT_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.RESET_CONTENT})
#: How HighLevel spells, in the answers to writes, whether something was done.
_DONE = ("succeded", "succeeded", "success")
_NO_STATUS = 600
_ONE_WORD = re.compile(rb"\s*\w{0,20}\s*")
# Time-outs and proxies' own failures, of which nobody says what they did with the request.
_PASSING = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY})
#: A refusal for size is one whoever on the way says it, in whatever form: sending it again would not help.
_TOO_LARGE = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
_MAY_NAME_A_HOLDER = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY})
_MAY_SAY_GONE = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.GONE, HTTPStatus.UNPROCESSABLE_ENTITY}
)


@dataclass(frozen=True, slots=True)
class Sent:
    """What judging an answer needs to know of the request."""

    method: str
    route: str
    names: frozenset[str]
    scope: str
    repeatable: bool
    path: str = ""
    agency: bool = False
    heard_before: bool = False
    """Whether HighLevel has answered this client before, so that the address is known to be right."""
    allowed_before: bool = False
    """Whether it has done what this asks for before, for something else."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: a status with headers and content, or a failure on the way."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""
    failure: str = ""
    was_sent: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """The parsed value, or the error to raise; `passing` means that another attempt is safe and worth it."""

    value: Any = None
    error: HighLevelError | None = None
    passing: bool = False
    too_many: bool = False
    token_refused: bool = False


def judge(answer: Answer, sent: Sent) -> Outcome:
    """What an answer means."""
    if answer.failure:
        return _lost(answer, sent)
    body = _parsed(answer.content)
    status = answer.status
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return _too_many(answer, sent)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _PASSING:
        return _broken(answer, sent, body, f"http_{status}")
    if status < HTTPStatus.MULTIPLE_CHOICES:
        return _accepted(answer, sent, body)
    return (_redirected if status < HTTPStatus.BAD_REQUEST else _refused)(answer, sent, body)


def _redirected(answer: Answer, sent: Sent, body: Any) -> Outcome:
    """The address is wrong; where it has been right before, this is the log-in page of some network on the way."""
    if sent.heard_before:
        return _broken(answer, sent, body, "redirected")
    hint = "HighLevel answered with a redirect, which is not followed: api_url must be the address itself"
    return Outcome(error=SettingsError(hint, route=sent.route, status=answer.status))


def _accepted(answer: Answer, sent: Sent, body: Any) -> Outcome:
    if answer.status in _WITHOUT_BODY:
        return Outcome(value={})
    if body is _UNREADABLE:
        if _says_done(answer, sent):
            return Outcome(value={})
        return _broken(answer, sent, body, "unreadable_answer")
    if refusal := _status_inside(body):
        return judge(replace(answer, status=refusal), sent)
    if _says_not_done(sent, body):
        return _broken(answer, sent, body, "not_done")
    return Outcome(value=body)


def _says_done(answer: Answer, sent: Sent) -> bool:
    """Whether a success without a body, or with a word in place of one, is all that there is to know: a create needs an id."""
    return sent.method in {"PUT", "DELETE"} and _ONE_WORD.fullmatch(answer.content) is not None


def _status_inside(body: Any) -> int | None:
    """The status of a refusal that was sent with the status of a success."""
    told = body.get("statusCode") if isinstance(body, dict) else None
    is_one = type(told) is int and HTTPStatus.BAD_REQUEST <= told < _NO_STATUS
    return told if is_one and ("message" in body or "error" in body) else None


def _says_not_done(sent: Sent, body: Any) -> bool:
    """Whether a success says of itself that nothing was written."""
    told = (body.get(name) for name in _DONE) if isinstance(body, dict) else ()
    return not only_reads(sent.method, sent.path) and any(word is False for word in told)


def _lost(answer: Answer, sent: Sent) -> Outcome:
    """No answer: harmless if nothing had left."""
    if not answer.was_sent:
        findings = Findings(code="no_connection", messages=(answer.failure,))
        hint = "nothing was sent; check api_url and the network, then run again"
        return Outcome(error=Unavailable(hint, route=sent.route, findings=findings), passing=True)
    return _ambiguous(sent, None, Findings(code="no_answer", messages=(answer.failure,)))


def _broken(answer: Answer, sent: Sent, body: Any, code: str) -> Outcome:
    trace_id = findings_of(answer.status, body).trace_id
    return _ambiguous(sent, answer.status, Findings(code=code, trace_id=trace_id))


def _ambiguous(sent: Sent, status: int | None, findings: Findings) -> Outcome:
    if sent.repeatable:
        hint = "HighLevel keeps failing; run again later"
        return Outcome(
            error=Unavailable(hint, route=sent.route, status=status, findings=findings), passing=True
        )
    hint = "whether it was done is not known; run again: it is looked for first"
    return Outcome(error=Unknown(hint, route=sent.route, status=status, findings=findings))


def _too_many(answer: Answer, sent: Sent) -> Outcome:
    """Nothing was done. Which limit was hit only the headers tell."""
    findings = Findings(code="too_many_requests")
    if answer.headers.get("X-RateLimit-Daily-Remaining", "").strip() == "0":
        hint = "HighLevel's requests of the day are spent; run again when its day has turned"
        return Outcome(error=DayBudgetSpent(hint, route=sent.route, status=429, findings=findings))
    hint = "HighLevel refuses for want of budget though we keep inside it; another program may be using it up"
    error = Unavailable(hint, route=sent.route, status=429, findings=findings)
    return Outcome(error=error, passing=True, too_many=True)


def _refused(answer: Answer, sent: Sent, body: Any) -> Outcome:
    status = answer.status
    if body is _UNREADABLE and status != _TOO_LARGE:
        # A page of some proxy or firewall, or nothing at all: no verdict of HighLevel's, whatever its status.
        return _broken(answer, sent, body, "unreadable_answer")
    findings = findings_of(status, body, sent.names)
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return _unauthorised(sent, status, findings)
    kind = Refused
    if _is_of_contact(sent) and (findings.code == "duplicate_contact" or _names_the_holder(status, findings)):
        kind = DuplicateContact
    elif _says_gone(sent, status, body):
        kind = NotFound
    unexplained = status == HTTPStatus.UNPROCESSABLE_ENTITY or findings.code in UNEXPLAINED
    maybe_created = unexplained and not sent.repeatable
    return Outcome(
        error=kind(route=sent.route, status=status, findings=findings, maybe_created=maybe_created)
    )


def _is_of_contact(sent: Sent) -> bool:
    """Whether a contact itself was written: nothing else has an address."""
    return sent.scope.startswith("contacts.") and sent.path.strip("/").count("/") <= 1


def _names_the_holder(status: int, findings: Findings) -> bool:
    """Whether a refusal names the contact that has an address already: its wording may change, these facts tell all the same."""
    told = findings.contact_id and findings.matching_field
    return bool(told) and status in _MAY_NAME_A_HOLDER


def _says_gone(sent: Sent, status: int, body: Any) -> bool:
    """Whether the thing itself is not there; of a write the message must name it, as it may mean what the body refers to."""
    if status not in _MAY_SAY_GONE or is_about_the_route(body):
        return False
    if status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
        return not says_only_others_are_gone(body, sent.path)
    if sent.method in {"GET", "DELETE"}:
        return says_gone(body, sent.names, sent.path)
    return sent.method == "PUT" and names_the_thing_itself(body, sent.path)


def _unauthorised(sent: Sent, status: int, findings: Findings) -> Outcome:
    """A 401 is not always a dead token: a missing scope and a foreign location answer alike."""
    owner = "agency" if sent.agency else "sub-account"
    if findings.code == "missing_scope":
        missing, hint = f"scope {sent.scope}", f"give the {owner} token the scope {sent.scope}"
    elif findings.code == "foreign_location":
        missing, hint = "location", f"the {owner} token must be one of the location in location_id"
    else:
        missing, hint = (
            "token",
            f"the {owner} token is not accepted; this call needs a valid one with {sent.scope}",
        )
    error = CredentialsRefused(
        hint,
        route=sent.route,
        status=status,
        findings=findings,
        missing=missing,
        allowed_before=sent.allowed_before and missing == "token",
    )
    return Outcome(error=error, token_refused=status == HTTPStatus.UNAUTHORIZED and missing == "token")


def _parsed(content: bytes) -> Any:
    try:
        return decode(content)
    except ValueError:
        return _UNREADABLE
