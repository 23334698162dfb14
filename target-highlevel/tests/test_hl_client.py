"""The client over real HTTP: what it sends, what it repeats and never repeats, and which error says what."""

from __future__ import annotations

import gc
import logging
import socket
import threading
from decimal import Decimal
from email.utils import formatdate
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
from hl_http_server import HighLevelServer, Reply, Seen

from target_highlevel.api import endpoints
from target_highlevel.errors import (
    CredentialsRefused,
    DayBudgetSpent,
    DuplicateContact,
    HighLevelError,
    Interrupted,
    NotFound,
    Refused,
    SettingsError,
    Unavailable,
    Unknown,
)
from target_highlevel.http import Bounds, Governor, HighLevelClient, Limits, PrivateToken, Upload
from target_highlevel.http.governor import retry_after

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from target_highlevel.http.governor import Slot

FAST = Limits(requests=10_000, seconds=0.05)
SHORT = Bounds(connecting=2.0, silence=2.0)


@pytest.fixture
def highlevel() -> Iterator[HighLevelServer]:
    """A server whose answers the test scripts."""
    server = HighLevelServer()
    yield server
    server.stop()


@pytest.fixture
def pauses() -> list[float]:
    """The pauses the client made before repeating."""
    return []


@pytest.fixture
def make_client(highlevel: HighLevelServer, pauses: list[float]) -> Iterator[Callable[..., HighLevelClient]]:
    """Makes clients that do not really pause."""
    made = []

    def pause(seconds: float) -> bool:
        pauses.append(seconds)
        return False

    def make(url: str = highlevel.url, **kwargs: Any) -> HighLevelClient:
        tokens = kwargs.pop("tokens", PrivateToken("pit-token"))
        governor = kwargs.pop("governor", None) or Governor(FAST)
        made.append(HighLevelClient(url, tokens, governor, **{"sleep": pause, "bounds": SHORT, **kwargs}))
        return made[-1]

    yield make
    for client in made:
        client.close()
    gc.collect()


@pytest.fixture
def client(make_client: Callable[..., HighLevelClient]) -> HighLevelClient:
    """A client of the server."""
    return make_client()


def create(client: HighLevelClient, **fields: Any) -> Any:
    """Create a contact: a POST that must not be repeated."""
    return client.request("POST", "/contacts/", route="POST /contacts/", json=fields or {"firstName": "Ada"})


def read(client: HighLevelClient) -> Any:
    """Read a contact: a GET that may be."""
    return client.request("GET", "/contacts/abc", route="GET /contacts/{id}")


# What is sent


def test_headers_carry_token_and_version(client: HighLevelClient, highlevel: HighLevelServer) -> None:
    """Every call names its token, the version of its area and what it accepts."""
    create(client)
    client.request("GET", "/calendars/events/appointments/e1")
    contact, event = highlevel.seen
    assert contact.headers["Authorization"] == "Bearer pit-token"
    assert contact.headers["Version"] == "2021-07-28"
    assert contact.headers["Content-Type"] == "application/json"
    assert contact.headers["Accept"] == "application/json"
    assert event.headers["Version"] == "2021-04-15"
    assert "Content-Type" not in event.headers


def test_another_version_may_be_asked_for(client: HighLevelClient, highlevel: HighLevelServer) -> None:
    """The version of a single call can be set."""
    client.request("GET", "/contacts/abc", version="v3")
    assert highlevel.seen[0].headers["Version"] == "v3"


def test_decimals_and_letters_arrive_as_they_are(client: HighLevelClient, highlevel: HighLevelServer) -> None:
    """Money is sent digit by digit and read back so, and text in UTF-8."""
    highlevel.reply(Reply(201, b'{"value": 12.30}'))
    answer = create(client, value=Decimal("12.30"), name="Zoë 🦶", cut="\ud83d")
    assert b'"value":12.30' in highlevel.seen[0].body
    assert "Zoë 🦶".encode() in highlevel.seen[0].body
    assert str(answer["value"]) == "12.30"


def test_a_number_that_is_none_is_refused_before_sending(
    client: HighLevelClient, highlevel: HighLevelServer
) -> None:
    """NaN is no JSON."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        create(client, value=float("nan"))
    assert not highlevel.seen


def test_the_query_is_encoded(client: HighLevelClient, highlevel: HighLevelServer) -> None:
    """A plus sign in a phone number arrives as a plus sign."""
    client.request("GET", "/contacts/search/duplicate", params={"number": "+61400000000"})
    assert highlevel.seen[0].query == "number=%2B61400000000"


@pytest.mark.parametrize(
    "path",
    [
        "/conversations/messages",
        "/contacts/upsert",
        "/contacts/abc/workflow/w1",
        "/contacts/abc/campaigns/c1",
        "/objects/../conversations/messages",
        "/objects/%2e%2e/conversations/messages",
        "/objects/%2E%2E/conversations/messages",
        "/contacts/a%2F..%2F..%2Fconversations%2Fmessages",
        "/invoices/",
        "contacts/",
    ],
)
def test_what_could_reach_a_patient_or_merge_two_cannot_be_called(
    client: HighLevelClient, highlevel: HighLevelServer, path: str
) -> None:
    """Paths outside the table of areas are refused before anything is sent."""
    with pytest.raises(ValueError, match="calls no such path"):
        client.request("POST", path, json={})
    assert not highlevel.seen


@pytest.mark.parametrize("identity", ["5f~8", "a=b:c@d+e", "ä%2E%2E?x#y", "Ab-1_.~"])
def test_an_id_of_any_shape_is_one_part_of_a_path(
    client: HighLevelClient, highlevel: HighLevelServer, identity: str
) -> None:
    """What HighLevel calls its things is its own: it comes back as it was given, and leads nowhere else."""
    highlevel.reply(Reply(200, {}))
    client.request("GET", endpoints.GET_NOTE.path("c1", identity))
    (seen,) = highlevel.seen
    assert unquote(seen.path) == f"/contacts/c1/notes/{identity}"


def test_netrc_and_cookies_are_left_alone(
    client: HighLevelClient, highlevel: HighLevelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Authorization header is ours whatever .netrc says, and no cookie is sent back."""
    (tmp_path / "netrc").write_text("default login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    highlevel.reply(Reply(headers={"Set-Cookie": "session=1; Path=/"}))
    read(client)
    read(client)
    assert [seen.headers["Authorization"] for seen in highlevel.seen] == ["Bearer pit-token"] * 2
    assert "Cookie" not in highlevel.seen[1].headers


def test_a_redirect_is_not_followed(client: HighLevelClient, highlevel: HighLevelServer) -> None:
    """The token goes nowhere else; the setting is to be mended."""
    highlevel.reply(Reply(302, headers={"Location": f"{highlevel.url}/elsewhere"}))
    with pytest.raises(SettingsError, match="api_url"):
        read(client)
    assert len(highlevel.seen) == 1


@pytest.mark.parametrize(
    "url", ["", "services.leadconnectorhq.com", "ftp://x", "https://user:pw@x", "https://x?a=1"]
)
def test_an_address_that_is_none_is_a_wrong_setting(
    make_client: Callable[..., HighLevelClient], url: str
) -> None:
    """It is noticed before the first request."""
    with pytest.raises(SettingsError, match="api_url"):
        make_client(url)


# What is repeated


@pytest.mark.parametrize(
    "trouble",
    [
        Reply(500, {"message": "x"}),
        Reply(502, b"<html>bad gateway</html>"),
        Reply(503, b""),
        Reply(520, b"<html>"),
        Reply(408, b""),
        Reply(200, b"<html>maintenance</html>"),
        Reply(200, {"contact": {"id": "abc"}}, cut=7),
        Reply(200, b'{"contact": {"id":'),
        Reply(404, b"<html>no such page</html>"),
        Reply(reset=True),
    ],
    ids=["500", "502", "503", "520", "408", "html", "cut", "truncated", "html-404", "reset"],
)
def test_troubles_are_repeated_if_that_is_safe_and_unknown_if_not(
    client: HighLevelClient, highlevel: HighLevelServer, pauses: list[float], trouble: Reply
) -> None:
    """A read is tried again until it succeeds; a create is not, as nobody knows whether it was done."""
    highlevel.reply(trouble, trouble, Reply(200, {"contact": {}}))
    assert read(client) == {"contact": {}}
    assert len(highlevel.seen) == 3
    assert len(pauses) == 2
    highlevel.reply(trouble)
    with pytest.raises(Unknown):
        create(client)
    assert len(highlevel.seen) == 4


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/contacts/abc"),
        ("PUT", "/contacts/abc"),
        ("DELETE", "/contacts/abc/notes/n1"),
        ("POST", "/contacts/search"),
        ("POST", "/objects/custom_objects.cliniko_invoice/records/search"),
    ],
)
def test_what_has_the_same_effect_twice_is_repeated(
    client: HighLevelClient, highlevel: HighLevelServer, method: str, path: str
) -> None:
    """Reads, updates, deletions and searches are tried again."""
    highlevel.reply(Reply(502, b""))
    client.request(method, path)
    assert len(highlevel.seen) == 2


def test_a_time_out_after_sending_leaves_a_create_unknown(
    make_client: Callable[..., HighLevelClient], highlevel: HighLevelServer
) -> None:
    """The server was reached and did not answer in time."""
    highlevel.reply(Reply(201, {"contact": {}}, delay=1.0))
    with pytest.raises(Unknown) as caught:
        create(make_client(bounds=Bounds(silence=0.1)))
    assert caught.value.code == "no_answer"
    assert len(highlevel.seen) == 1


def test_a_create_that_never_left_is_repeated(
    make_client: Callable[..., HighLevelClient], highlevel: HighLevelServer, pauses: list[float]
) -> None:
    """As long as no connection can be had nothing was done, so even a create is tried again."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(Unavailable, match="nothing was sent"):
        create(make_client(f"http://127.0.0.1:{port}"))
    assert len(pauses) == 6
    assert not highlevel.seen


def test_repeating_ends_after_seven_attempts_with_growing_pauses(
    client: HighLevelClient, highlevel: HighLevelServer, pauses: list[float]
) -> None:
    """A service that stays down is reported, not asked for ever."""
    highlevel.respond = lambda _: Reply(503, b"")
    with pytest.raises(Unavailable) as caught:
        read(client)
    assert caught.value.status == 503
    assert len(highlevel.seen) == 7
    assert all(pause <= 0.5 * 2**number for number, pause in enumerate(pauses))


@pytest.mark.parametrize("target", ["http://[bad", "/\xff\xfe", "http://" + "a" * 64 + ".example/", ""])
def test_a_redirect_that_leads_nowhere_is_one_like_any_other(
    client: HighLevelClient, highlevel: HighLevelServer, target: str
) -> None:
    """Nobody looks where it leads, nor reads what comes with it before its size is bounded."""
    highlevel.reply(Reply(302, b"", {"Location": target}))
    with pytest.raises(SettingsError) as caught:
        read(client)
    assert caught.value.status == 302


def test_a_redirect_is_not_read_beyond_what_an_answer_may_hold(
    make_client: Callable[..., HighLevelClient], highlevel: HighLevelServer
) -> None:
    """A body without end would fill the memory."""
    highlevel.respond = lambda _: Reply(
        302, b"a" * 65536, {"Location": "/x", "Content-Length": str(1 << 40)}, endless=True
    )
    bounds = Bounds(connecting=2.0, silence=2.0, most_bytes=1 << 20, repeating=0.0)
    with pytest.raises(Unavailable) as caught:
        read(make_client(bounds=bounds))
    assert caught.value.messages == ("TooLarge",)


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"a":' * 100_000], ids=["lists", "objects"])
@pytest.mark.parametrize("status", [200, 400])
def test_an_answer_deeper_than_can_be_read_is_unreadable(
    client: HighLevelClient, highlevel: HighLevelServer, content: bytes, status: int
) -> None:
    """It is this request that fails, not the run."""
    highlevel.respond = lambda _: Reply(status, content)
    with pytest.raises(Unknown) as caught:
        create(client)
    assert caught.value.code == "unreadable_answer"


def test_what_is_no_number_is_null(client: HighLevelClient, highlevel: HighLevelServer) -> None:
    """Some servers write `NaN`, which is no JSON; everything around it counts."""
    highlevel.reply(Reply(200, b'{"contact": {"id": "c1", "total": NaN, "other": -Infinity}}'))
    assert read(client) == {"contact": {"id": "c1", "total": None, "other": None}}


@pytest.mark.parametrize(
    "number", ["9" * 5000, "9" * 400, "-1", "1.5", "\xb2", "many", "", "0"], ids=range(8)
)
def test_rate_headers_that_cannot_be_meant_are_passed_over(
    make_client: Callable[..., HighLevelClient], highlevel: HighLevelServer, number: str
) -> None:
    """A mistaken header ends no run, and holds nothing back."""
    governor = Governor(Limits())
    names = ("Max", "Remaining", "Interval-Milliseconds", "Limit-Daily")
    highlevel.respond = lambda _: Reply(200, {}, {f"X-RateLimit-{name}": number for name in names})
    client = make_client(governor=governor)
    for _ in range(3):
        read(client)
    assert governor.statistics().waited_seconds < 5  # a hold is one window at least


@pytest.mark.parametrize("told", ["2", formatdate(0, usegmt=True), "nonsense", None])
def test_after_too_many_requests_even_a_create_is_repeated(
    make_client: Callable[..., HighLevelClient], highlevel: HighLevelServer, told: str | None
) -> None:
    """A 429 did nothing; the pause is the one told, else one window, and holds everybody."""
    waited: list[float] = []
    now = [0.0]

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        now[0] += seconds
        return False

    governor = Governor(Limits(), clock=lambda: now[0], wait=wait)
    highlevel.reply(Reply(429, {"statusCode": 429}, {} if told is None else {"Retry-After": told}))
    create(make_client(governor=governor))
    assert len(highlevel.seen) == 2
    expected = {"2": 2.0, "nonsense": 10.0, None: 10.0}.get(told, 0.1)
    assert sum(waited) == pytest.approx(expected, abs=0.1)
    assert governor.statistics().too_many_requests == 1


@pytest.mark.parametrize("told", ["0", formatdate(0, usegmt=True), None])
def test_who_is_refused_again_after_waiting_waits_longer(
    make_client: Callable[..., HighLevelClient], highlevel: HighLevelServer, told: str | None
) -> None:
    """`Retry-After: 0` for a whole window would use up every attempt in a moment, and end the run."""
    now = [0.0]

    def wait(seconds: float) -> bool:
        now[0] += seconds
        return False

    def until_the_window_is_over(_: Seen) -> Reply:
        return Reply(429, {}, {} if told is None else {"Retry-After": told}) if now[0] < 90 else Reply()

    highlevel.respond = until_the_window_is_over
    create(make_client(governor=Governor(Limits(), clock=lambda: now[0], wait=wait)))
    assert 90 <= now[0] < 150


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": " 7 "}, 7.0),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "5 s"}, None),
        ({"Retry-After": "Wed, 21 Oct 99999999999 07:28:00 GMT"}, None),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT", "Date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30.0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT", "Date": "today"}, 30.0),
    ],
)
def test_the_time_to_come_back_is_read_as_it_is_spelled(
    headers: dict[str, str], seconds: float | None
) -> None:
    """A date is one of the server's own clock; what cannot be read says nothing."""
    now = 1_792_567_680.0 if headers.get("Date") == "today" else 0.0
    assert retry_after(headers, lambda: now) == seconds


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b""),
        Reply(202, b"\r\n"),
        Reply(205, b""),
        Reply(200, b"OK", {"Content-Type": "text/plain; charset=utf-8"}),
    ],
)
def test_a_change_that_was_done_needs_no_words(
    client: HighLevelClient, highlevel: HighLevelServer, method: str, reply: Reply
) -> None:
    """Nothing of the answer is used, so it is not asked for again."""
    highlevel.respond = lambda _: reply
    assert client.request(method, "/contacts/c1", json={}) == {}
    assert len(highlevel.seen) == 1


@pytest.mark.parametrize(("bad", "asked"), [(1, 2), (2, 3), (9, 3)])
def test_an_answer_in_doubt_is_asked_for_again(
    bad: int, asked: int, client: HighLevelClient, highlevel: HighLevelServer, pauses: list[float]
) -> None:
    """A few times, with a pause before each; after that it is what it is."""
    replies = iter([*[Reply(200, b"{}")] * bad, Reply(200, b'{"users": []}')])
    highlevel.respond = lambda _: next(replies)
    found = client.request("GET", "/users/", doubtful=lambda answer: not answer)
    assert len(highlevel.seen) == asked
    assert len(pauses) == asked - 1
    assert bool(found) == (bad < 3)


def test_half_an_answer_is_no_word(client: HighLevelClient, highlevel: HighLevelServer) -> None:
    """Whoever is on the way may say anything in plain text: a change is sent again until HighLevel says that it is done."""
    plain = {"Content-Type": "text/plain"}
    replies = [
        Reply(200, b'{"succeded": fal', plain),
        Reply(200, b"upstream request timeout", plain),
        Reply(200, {}),
    ]
    highlevel.respond = lambda _: replies.pop(0)
    assert client.request("PUT", "/contacts/c1", json={}) == {}
    assert replies == []


def test_a_create_without_an_answer_is_unclear(client: HighLevelClient, highlevel: HighLevelServer) -> None:
    """What was made has an id, and nobody knows it."""
    highlevel.respond = lambda _: Reply(201, b"")
    with pytest.raises(Unknown):
        create(client)
    assert len(highlevel.seen) == 1


@pytest.mark.parametrize("word", ["succeded", "succeeded", "success"])
def test_a_success_that_was_none_is_no_success(
    client: HighLevelClient, highlevel: HighLevelServer, word: str
) -> None:
    """It says that nothing was written: a change is tried again, a create looked for."""
    highlevel.respond = lambda _: Reply(200, {word: False})
    with pytest.raises(Unavailable):
        client.request("PUT", "/contacts/c1", json={})
    with pytest.raises(Unknown):
        create(client)
    highlevel.respond = lambda _: Reply(200, {word: True})
    assert client.request("PUT", "/contacts/c1", json={}) == {word: True}


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (404, "Contact not found", NotFound),
        (422, ["email must be an email"], Refused),
        (401, "Invalid JWT", CredentialsRefused),
        (503, "Service unavailable", Unavailable),
    ],
)
def test_a_refusal_with_the_status_of_a_success_is_one(
    client: HighLevelClient, highlevel: HighLevelServer, status: int, message: Any, kind: type[HighLevelError]
) -> None:
    """Its body says which."""
    highlevel.respond = lambda _: Reply(200, {"statusCode": status, "message": message})
    with pytest.raises(kind) as caught:
        client.request("PUT", "/contacts/c1", json={"email": "x"})
    assert caught.value.status == status


def test_too_many_requests_for_ever_is_unavailable_not_unknown(
    client: HighLevelClient, highlevel: HighLevelServer
) -> None:
    """A create that was always refused with 429 surely was not done."""
    highlevel.respond = lambda _: Reply(429, {}, {"Retry-After": "0"})
    with pytest.raises(Unavailable):
        create(client)


def test_the_days_end_stops_at_once(client: HighLevelClient, highlevel: HighLevelServer) -> None:
    """Repeating would not help before the day turns."""
    highlevel.reply(Reply(429, {}, {"X-RateLimit-Daily-Remaining": "0", "X-RateLimit-Limit-Daily": "200000"}))
    with pytest.raises(DayBudgetSpent) as caught:
        create(client)
    assert caught.value.exit_code == 75
    with pytest.raises(DayBudgetSpent):
        create(client)
    assert len(highlevel.seen) == 1


def test_nothing_is_repeated_once_the_run_is_stopped(
    make_client: Callable[..., HighLevelClient], highlevel: HighLevelServer
) -> None:
    """The pause before a repeat ends at once, and nothing more is sent."""
    stop = threading.Event()

    def stop_and_fail(_: Seen) -> Reply:
        stop.set()
        return Reply(503, b"")

    highlevel.respond = stop_and_fail
    with pytest.raises(Interrupted):
        read(make_client(stop_event=stop, sleep=None))
    assert len(highlevel.seen) == 1


def test_the_governor_hears_of_the_departure_before_the_answer(
    make_client: Callable[..., HighLevelClient], highlevel: HighLevelServer
) -> None:
    """A place in the window counts from the moment the request left, not from its answer a second later."""
    left = threading.Event()

    class Watching(Governor):
        def departed(self, slot: Slot) -> None:
            super().departed(slot)
            left.set()

    highlevel.respond = lambda _: Reply(200, {"left": left.wait(5)})
    assert read(make_client(governor=Watching(FAST))) == {"left": True}


# Which error


def test_a_duplicate_names_the_contact_and_the_field(
    client: HighLevelClient, highlevel: HighLevelServer
) -> None:
    """Of `meta` only the id and the field are kept, not the name."""
    meta = {"contactId": "A1", "contactName": "Jane Citizen", "matchingField": "email"}
    body = {"statusCode": 400, "message": "This location does not allow duplicated contacts.", "meta": meta}
    highlevel.reply(Reply(400, body | {"traceId": "trace-1"}))
    with pytest.raises(DuplicateContact) as caught:
        create(client)
    error = caught.value
    assert (error.contact_id, error.matching_field, error.trace_id) == ("A1", "email", "trace-1")
    assert error.meta == {"contactId": "A1", "matchingField": "email"}
    assert "Jane" not in repr(vars(error)) + str(error)


def test_a_duplicate_may_come_without_any_hint(client: HighLevelClient, highlevel: HighLevelServer) -> None:
    """Some answers lack `meta`."""
    highlevel.reply(Reply(400, {"message": "This location does not allow duplicated contacts."}))
    with pytest.raises(DuplicateContact) as caught:
        client.request("PUT", "/contacts/abc", json={"email": "a@example.com"})
    assert (caught.value.contact_id, caught.value.matching_field) == (None, None)


def test_a_duplicate_in_other_words_is_one(client: HighLevelClient, highlevel: HighLevelServer) -> None:
    """What `meta` says of the holder counts, whatever the message is."""
    meta = {"contactId": "A1", "matchingField": "phone"}
    highlevel.reply(Reply(400, {"message": "Contact already exists with this email or phone", "meta": meta}))
    with pytest.raises(DuplicateContact) as caught:
        create(client)
    assert (caught.value.contact_id, caught.value.matching_field) == ("A1", "phone")


@pytest.mark.parametrize(
    ("message", "code", "properties"),
    [
        ("property gender should not exist", "unknown_property", ("gender",)),
        ("email must be an email", "invalid_property", ("email",)),
        ("firstName should not be empty", "missing_property", ("firstName",)),
        ("dnd.Email.status must be one of the following values: a", "invalid_choice", ("dnd.Email.status",)),
        ("Jane must be a string", "invalid_property", ()),
        ("Both object labels can not be same", "labels_equal", ()),
        ("Could not create relation: duplicate relation of object Ids", "duplicate_relation", ()),
        ("A record can be associated with up to 1000 records only", "limit_reached", ()),
        ("Not more than 1,000 records under one label", "limit_reached", ()),
        ("Max 1000 relations", "limit_reached", ()),
        ("File size exceeds the limit", "file_too_large", ()),
        ("fileSize must not be greater than 52428800", "file_too_large", ()),
        ("The file is too large", "file_too_large", ()),
        ("File type is not allowed", "file_type_refused", ()),
        ("Unsupported file extension", "file_type_refused", ()),
        ("Maximum number of files reached for custom field", "limit_reached", ()),
        ("Pass at least one of number, email query parameter", "address_required", ()),
        ("Email or phone is required", "address_required", ()),
        ("Jane Citizen of 1 High Street", "not_processable", ()),
    ],
)  # fmt: skip
def test_messages_are_reduced_to_codes_and_property_names(
    client: HighLevelClient, highlevel: HighLevelServer, message: str, code: str, properties: tuple[str, ...]
) -> None:
    """A property is named only if we sent it or everybody knows it: it might be a value otherwise."""
    highlevel.reply(Reply(422, {"message": [message], "traceId": "t"}))
    with pytest.raises(Refused) as caught:
        create(client, gender="x", email="x", dnd={"Email": {"status": "x"}})
    assert caught.value.code == code
    assert caught.value.properties == properties
    assert "Jane" not in str(caught.value)


def test_a_refused_create_may_have_been_done_all_the_same(
    client: HighLevelClient, highlevel: HighLevelServer
) -> None:
    """422 on a create has to be looked into; 422 on an update is final, and so is 400 with a reason."""
    said = [(422, "x"), (422, "x"), (400, "email must be an email")]
    highlevel.reply(*[Reply(status, {"message": message}) for status, message in said])
    with pytest.raises(Refused) as caught:
        create(client)
    assert caught.value.maybe_created
    with pytest.raises(Refused) as caught:
        client.request("PUT", "/contacts/abc", json={})
    assert not caught.value.maybe_created
    with pytest.raises(Refused) as caught:
        create(client)
    assert not caught.value.maybe_created


EVENT, TASK, RECORD = "/calendars/events/appointments/e1", "/contacts/c1/tasks/t1", "/objects/k/records/r1"


@pytest.mark.parametrize(
    ("method", "path", "status", "message", "kind"),
    [
        ("GET", "/contacts/abc", 400, "Contact with id abc not found", NotFound),
        ("DELETE", "/contacts/abc", 400, "Contact with id abc not found", NotFound),
        ("PUT", "/contacts/abc", 400, "Contact with id abc not found", NotFound),
        ("POST", "/contacts/", 400, "Contact with id abc not found", Refused),
        ("PUT", "/contacts/abc", 400, "User u1 not found", Refused),
        ("PUT", EVENT, 400, "The event id is invalid", NotFound),
        ("GET", EVENT, 400, "The event id is invalid", NotFound),
        ("DELETE", EVENT, 422, ["eventId does not exist"], NotFound),
        ("PUT", EVENT, 400, "Calendar not found", Refused),
        ("PUT", EVENT, 400, "This appointment has been deleted", NotFound),
        ("PUT", TASK, 422, "No such task", NotFound),
        ("PUT", TASK, 400, "Task no longer exists", NotFound),
        ("GET", RECORD, 400, "Invalid record id", NotFound),
        ("PUT", RECORD, 400, "Could not find r1", NotFound),
        ("GET", "/contacts/abc", 410, "Gone", NotFound),
        ("GET", "/contacts/abc", 404, "Cannot GET /contacts/abc", Refused),
        ("PUT", "/contacts/abc", 422, "property gender should not exist", Refused),
    ],
)  # fmt: skip
def test_what_is_gone_is_known_by_its_several_words(
    method: str,
    path: str,
    status: int,
    message: Any,
    kind: type,
    client: HighLevelClient,
    highlevel: HighLevelServer,
) -> None:
    """The thing itself is meant where nothing else is named; a write may name a user or a calendar that is not there."""
    highlevel.reply(Reply(status, {"message": message}))
    with pytest.raises(Refused) as caught:
        client.request(method, path, json=None if method == "GET" else {"assignedTo": "u1"})
    assert type(caught.value) is kind


def test_what_is_gone_is_not_found(client: HighLevelClient, highlevel: HighLevelServer) -> None:
    """404 in JSON is HighLevel's own word."""
    highlevel.reply(Reply(404, {"statusCode": 404, "message": "Contact not found"}))
    with pytest.raises(NotFound) as caught:
        read(client)
    assert str(caught.value) == "GET /contacts/{id} HTTP 404 not_found: not found"


@pytest.mark.parametrize(
    ("status", "message", "missing"),
    [
        (401, "Invalid JWT", "token"),
        (401, "The token is not authorized for this scope.", "scope contacts.write"),
        (401, "This location is not accessible from this token.", "location"),
        (403, "The token does not have access to this location.", "location"),
        (403, "Forbidden", "token"),
    ],
)
def test_refused_credentials_say_what_is_missing(
    client: HighLevelClient, highlevel: HighLevelServer, status: int, message: str, missing: str
) -> None:
    """Token, scope or location, each for the call in hand; and nothing is repeated."""
    highlevel.reply(Reply(status, {"statusCode": status, "message": message}))
    with pytest.raises(CredentialsRefused) as caught:
        create(client)
    assert caught.value.missing == missing
    assert caught.value.exit_code == 3
    assert not caught.value.allowed_before
    assert len(highlevel.seen) == 1


@pytest.mark.parametrize(("message", "one"), [("Forbidden", True), ("not authorized for this scope", False)])
def test_a_refusal_after_others_were_allowed_may_be_about_one_thing(
    client: HighLevelClient, highlevel: HighLevelServer, message: str, *, one: bool
) -> None:
    """Unless it says that a scope is missing; what was allowed before is told by method and route."""
    highlevel.reply(Reply(201, {"contact": {}}), *[Reply(403, {"message": message})] * 2)
    create(client)
    with pytest.raises(CredentialsRefused) as caught:
        create(client)
    assert caught.value.allowed_before is one
    with pytest.raises(CredentialsRefused) as caught:
        read(client)
    assert not caught.value.allowed_before


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("POST", "/contacts/search", "contacts.readonly"),
        ("POST", "/contacts/abc/notes", "contacts.write"),
        ("GET", "/locations/loc/customFields", "locations/customFields.readonly"),
        ("POST", "/custom-fields/", "locations/customFields.write"),
        ("GET", "/locations/loc", "locations.readonly"),
        ("POST", "/objects/", "objects/schema.write"),
        ("POST", "/objects/custom_objects.x/records", "objects/record.write"),
        ("POST", "/objects/custom_objects.x/records/search", "objects/record.readonly"),
        ("POST", "/associations/relations", "associations/relation.write"),
        ("GET", "/associations/key/x", "associations.readonly"),
        ("POST", "/calendars/events/appointments", "calendars/events.write"),
        ("GET", "/calendars/", "calendars.readonly"),
        ("GET", "/users/search", "users.readonly"),
        ("POST", "/forms/upload-custom-files", "forms.write"),
    ],
)
def test_the_missing_scope_is_the_calls_own(
    client: HighLevelClient, highlevel: HighLevelServer, method: str, path: str, scope: str
) -> None:
    """Every area has its scopes, and searches need only the right to read."""
    highlevel.reply(Reply(401, {"message": "The token is not authorized for this scope."}))
    with pytest.raises(CredentialsRefused) as caught:
        client.request(method, path)
    assert caught.value.missing == f"scope {scope}"


class TwoTokens:
    """A provider with one fresh token in reserve."""

    def __init__(self) -> None:
        self.current = "old"
        self.refreshed = 0

    def token(self) -> str:
        """The token of the moment."""
        return self.current

    def refresh(self, refused: str) -> bool:
        """Change to the fresh one."""
        self.refreshed += 1
        self.current = f"fresh-{self.refreshed}"
        return refused != self.current


def test_a_dead_token_is_refreshed_once(
    make_client: Callable[..., HighLevelClient], highlevel: HighLevelServer
) -> None:
    """After a 401 a create goes out again with the fresh token; a second 401 ends it."""
    tokens = TwoTokens()
    client = make_client(tokens=tokens)
    highlevel.reply(Reply(401, {"message": "Invalid JWT"}), Reply(201, {"contact": {}}))
    assert create(client) == {"contact": {}}
    assert [seen.headers["Authorization"] for seen in highlevel.seen] == ["Bearer old", "Bearer fresh-1"]
    highlevel.reply(*[Reply(401, {"message": "Invalid JWT"})] * 2)
    with pytest.raises(CredentialsRefused):
        create(client)
    assert tokens.refreshed == 2


def test_the_agency_token_is_used_only_where_asked_for(
    make_client: Callable[..., HighLevelClient], highlevel: HighLevelServer
) -> None:
    """Schemas are made with the agency's token; without one the setting is named."""
    make_client(agency_tokens=PrivateToken("pit-agency")).request("POST", "/objects/", json={}, agency=True)
    assert highlevel.seen[0].headers["Authorization"] == "Bearer pit-agency"
    with pytest.raises(SettingsError, match="agency_token"):
        make_client().request("POST", "/objects/", json={}, agency=True)


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 405, 422, 451])
@pytest.mark.parametrize("content", [b"<html>blocked</html>", b""], ids=["page", "nothing"])
def test_what_is_no_json_is_no_verdict(
    status: int, content: bytes, client: HighLevelClient, highlevel: HighLevelServer
) -> None:
    """A firewall's page refuses neither the record nor the token: a read is repeated, a create is to be looked for."""
    assert read(client) == {}
    highlevel.reply(Reply(status, content), Reply(200, {"contact": {}}), Reply(status, content))
    assert read(client) == {"contact": {}}
    with pytest.raises(Unknown):
        create(client)


def test_a_page_that_says_too_large_is_a_verdict(client: HighLevelClient, highlevel: HighLevelServer) -> None:
    """Whoever on the way says it: the same would come again."""
    highlevel.reply(Reply(413, b"<html>too large</html>"))
    with pytest.raises(Refused) as caught:
        create(client)
    assert caught.value.code == "too_large"


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ("email must be an email", "email"),
        ("Invalid email address", "email"),
        ("The email is not valid", "email"),
        ("phone must be a valid phone number", "phone"),
        ("Invalid phone number", "phone"),
        ("Invalid country calling code", "phone"),
        ("The string supplied did not seem to be a phone number", "phone"),
        ("customFields.2.field_value must be shorter than or equal to 5000 characters", "customFields.2.field_value"),
        ("contact.cliniko_location exceeds 5000 characters", "contact.cliniko_location"),
        ("Invalid option for field cliniko_location", "cliniko_location"),
        ("customFields: contact.cliniko_location must be shorter than or equal to 5000 characters", "contact.cliniko_location"),
        ("customFields[2].field_value must be shorter than or equal to 5000 characters", "customFields.2.field_value"),
        ("custom_objects.pet.cliniko_notes must be shorter than or equal to 5000 characters", "cliniko_notes"),
        ("website must be a URL address", "website"),
        ("The email field must be a valid email address.", "email"),
        ("Email address jane@x.com is not valid", "email"),
        ("email: Invalid format", "email"),
        ("Validation failed: invalid email", "email"),
        ("The phone provided is invalid", "phone"),
        ("Phone number too short", "phone"),
        ("Invalid country code", "country"),
        ("Invalid date for dateOfBirth", "dateOfBirth"),
        ("Option 'Hobart' is not valid for contact.cliniko_location", "cliniko_location"),
        ("Value not allowed for field: cliniko_location", "cliniko_location"),
    ],
)  # fmt: skip
def test_a_refusal_names_the_field(
    message: str, name: str, client: HighLevelClient, highlevel: HighLevelServer
) -> None:
    """So that whoever writes the record can leave the field out."""
    highlevel.reply(Reply(422, {"message": [message]}))
    with pytest.raises(Refused) as caught:
        create(client)
    assert caught.value.properties == (name,)


# Files


def test_a_file_arrives_byte_by_byte_under_its_name(
    client: HighLevelClient, highlevel: HighLevelServer, tmp_path: Path
) -> None:
    """Bytes are identical, also when the first attempt was refused with 429."""
    content = bytes(range(256)) * 1000
    (tmp_path / "12").write_bytes(content)
    upload = Upload("field_uuid", tmp_path / "12", 'sc"an é\n.pdf', "application/pdf")
    highlevel.reply(Reply(429, {}, {"Retry-After": "0"}))
    client.request(
        "POST", "/forms/upload-custom-files", params={"contactId": "c", "locationId": "l"}, files=upload
    )
    for seen in highlevel.seen:
        head, rest = seen.body.split(b"\r\n\r\n", 1)
        boundary = head.split(b"\r\n")[0]
        assert rest == content + b"\r\n" + boundary + b"--\r\n"
        assert 'name="field_uuid"; filename="sc%22an é%0A.pdf"'.encode() in head
        assert seen.headers["Content-Type"] == f"multipart/form-data; boundary={boundary[2:].decode()}"
        assert seen.headers["Content-Length"] == str(len(seen.body))
    assert len(highlevel.seen) == 2


def test_an_unreadable_file_is_refused_before_sending(
    client: HighLevelClient, highlevel: HighLevelServer, tmp_path: Path
) -> None:
    """The error does not name the file: its name may be a patient's."""
    upload = Upload("field_uuid", tmp_path / "Jane Citizen.pdf", "Jane Citizen.pdf")
    with pytest.raises(Refused) as caught:
        client.request("POST", "/forms/upload-custom-files", files=upload)
    assert caught.value.code == "file_unreadable"
    assert "Jane" not in str(caught.value)
    assert not highlevel.seen


# Privacy


def test_nothing_personal_and_no_secret_is_ever_shown(
    make_client: Callable[..., HighLevelClient], highlevel: HighLevelServer, caplog: pytest.LogCaptureFixture
) -> None:
    """No log line at DEBUG, no error and no chained error holds what was sent or answered."""
    caplog.set_level(logging.DEBUG)
    client = make_client(tokens=PrivateToken("pit-SECRETMARK"), bounds=Bounds(silence=0.3))
    echo = {"message": ["PERSONMARK is wrong", "PERSONMARK must be a string"], "error": "PERSONMARK"}
    troubles = [
        *[
            Reply(status, echo | {"meta": {"contactName": "PERSONMARK"}})
            for status in (400, 401, 403, 404, 422)
        ],
        Reply(429, echo, {"X-RateLimit-Daily-Remaining": "0"}),
        *[Reply(status, b"<html>PERSONMARK</html>") for status in (200, 301, 403, 413, 500)],
        Reply(201, {"contact": "PERSONMARK"}, cut=15),
        Reply(201, delay=0.5),
        Reply(reset=True),
    ]
    shown: list[str] = []
    for trouble in troubles:
        client = make_client(tokens=PrivateToken("pit-SECRETMARK"), bounds=Bounds(silence=0.3))
        highlevel.reply(trouble)
        with pytest.raises(HighLevelError) as caught:
            create_with_query(client)
        error: BaseException | None = caught.value
        while error is not None:
            shown += [str(error), repr(error), repr(vars(error))]
            error = error.__context__ or error.__cause__
    everything = "\n".join([*shown, caplog.text])
    assert "PERSONMARK" not in everything
    assert "SECRETMARK" not in everything
    assert "highlevel.request_failed" in everything


def create_with_query(client: HighLevelClient) -> None:
    """A create with something personal in body and query."""
    client.request("POST", "/contacts/", json={"email": "PERSONMARK"}, params={"email": "PERSONMARK"})


def test_many_threads_share_one_client(client: HighLevelClient, highlevel: HighLevelServer) -> None:
    """Every thread gets its own answer."""
    highlevel.respond = lambda seen: Reply(200, {"echo": seen.path})
    answers: list[bool] = []

    def work(number: int) -> None:
        for step in range(20):
            path = f"/contacts/c{number}x{step}"
            answers.append(client.request("GET", path)["echo"] == path)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [True] * 320
