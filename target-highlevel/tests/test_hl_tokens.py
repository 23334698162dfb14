"""Tokens: kept secret, and the single-use refresh token never lost."""

from __future__ import annotations

import json
import stat
import threading
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import pytest
from hl_http_server import HighLevelServer, Reply, Seen

from target_highlevel.errors import CredentialsRefused, SettingsError, Unavailable
from target_highlevel.http import OAuthApp, OAuthTokens, PrivateToken, TokenPair
from target_highlevel.http.oauth import LocationTokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NOW = 1_000_000.0


@pytest.fixture
def highlevel() -> Iterator[HighLevelServer]:
    """A server that issues token pairs."""
    server = HighLevelServer()
    yield server
    server.stop()


class Issuer:
    """Exchanges each refresh token once; checks what is on disk when it is asked."""

    def __init__(self, current: str = "refresh-0") -> None:
        self.current = current
        self.issued = 0

    def __call__(self, seen: Seen) -> Reply:
        """Answer one exchange."""
        if parse_qs(seen.body.decode())["refresh_token"] != [self.current]:
            return Reply(401, {"message": "Invalid refresh token", "error": "Unauthorized"})
        self.issued += 1
        self.current = f"refresh-{self.issued}"
        pair = {"access_token": f"access-{self.issued}", "refresh_token": self.current, "expires_in": 86399}
        return Reply(200, pair)


def tokens_in(folder: Path, url: str, expires_at: float = NOW + 3600) -> OAuthTokens:
    """A provider whose file holds the first pair."""
    tokens = OAuthTokens(
        folder / "oauth.json", OAuthApp("client", "app-secret"), url, now=lambda: NOW, sleep=lambda _: None
    )
    if not (folder / "oauth.json").exists():
        tokens.store(TokenPair("access-0", "refresh-0", expires_at))
    return tokens


@pytest.mark.parametrize("token", ["", "  ", "pit-one two", "pit-one\ntwo", "pit-ö"])
def test_what_cannot_be_a_token_is_a_wrong_setting(token: str) -> None:
    """A token no header can carry is refused by the setting's name, not shown."""
    with pytest.raises(SettingsError) as caught:
        PrivateToken(token, "agency_token")
    assert "agency_token" in str(caught.value)
    assert "pit-" not in str(caught.value)


def test_a_private_token_is_fixed_and_never_shown(tmp_path: Path) -> None:
    """Its repr names the setting, and there is no other token to be had."""
    token = PrivateToken(" pit-secret\n")
    assert token.token() == "pit-secret"
    assert "secret" not in repr(token)
    assert not token.refresh("pit-secret")
    shown = repr(tokens_in(tmp_path, "http://127.0.0.1:1")) + repr(TokenPair("access", "secret", 0.0))
    assert "secret" not in shown + repr(OAuthApp("id", "secret"))


def test_the_pair_is_exchanged_when_refused_and_kept_readable_by_its_owner_only(
    tmp_path: Path, highlevel: HighLevelServer
) -> None:
    """After an exchange the new pair is in a file of mode 0600, with no scratch file left."""
    highlevel.respond = Issuer()
    tokens = tokens_in(tmp_path, highlevel.url)
    assert tokens.token() == "access-0"
    assert tokens.refresh("access-0")
    assert tokens.token() == "access-1"
    file = tmp_path / "oauth.json"
    assert json.loads(file.read_text())["refresh_token"] == "refresh-1"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["oauth.json", "oauth.json.lock"]


def test_a_token_about_to_end_is_exchanged_before_use(tmp_path: Path, highlevel: HighLevelServer) -> None:
    """Nobody waits for the 401 of a token known to end in a minute."""
    highlevel.respond = Issuer()
    assert tokens_in(tmp_path, highlevel.url, expires_at=NOW + 60).token() == "access-1"


def test_many_who_were_refused_at_once_exchange_once(tmp_path: Path, highlevel: HighLevelServer) -> None:
    """Threads and processes that hold the refused token find the new one instead of spending another."""
    issuer = highlevel.respond = Issuer()
    providers = [tokens_in(tmp_path, highlevel.url) for _ in range(2)]
    for provider in providers:
        provider.token()
    threads = [threading.Thread(target=provider.refresh, args=("access-0",)) for provider in providers * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert issuer.issued == 1
    assert {provider.token() for provider in providers} == {"access-1"}


def test_a_lost_answer_is_asked_for_again(tmp_path: Path, highlevel: HighLevelServer) -> None:
    """The same refresh token is sent again at once, as HighLevel answers alike for 30 seconds."""
    pair = {"access_token": "access-1", "refresh_token": "refresh-1", "expires_in": 86399}
    highlevel.reply(Reply(reset=True), Reply(502, b"<html>"), Reply(200, pair))
    tokens = tokens_in(tmp_path, highlevel.url)
    assert tokens.refresh("access-0")
    assert {parse_qs(seen.body.decode())["refresh_token"][0] for seen in highlevel.seen} == {"refresh-0"}


@pytest.mark.parametrize("told", [{}, {"expires_in": None}, {"expires_in": "soon"}, {"expires_in": 0}])
def test_a_pair_is_kept_whatever_is_said_of_its_end(
    tmp_path: Path, highlevel: HighLevelServer, told: dict[str, object]
) -> None:
    """Its refresh token works once: whoever lets it go is locked out."""
    highlevel.reply(Reply(200, {"access_token": "access-1", "refresh_token": "refresh-1", **told}))
    tokens = tokens_in(tmp_path, highlevel.url)
    assert tokens.refresh("access-0")
    assert tokens.token() == tokens_in(tmp_path, highlevel.url).token() == "access-1"
    assert json.loads((tmp_path / "oauth.json").read_text())["refresh_token"] == "refresh-1"
    assert len(highlevel.seen) == 1


def test_without_another_refresh_token_the_old_one_stays(tmp_path: Path, highlevel: HighLevelServer) -> None:
    """An issuer need not change it."""
    highlevel.reply(Reply(200, {"access_token": "access-1", "refresh_token": None, "expires_in": "86399"}))
    assert tokens_in(tmp_path, highlevel.url).refresh("access-0")
    kept = json.loads((tmp_path / "oauth.json").read_text())
    assert (kept["refresh_token"], kept["expires_at"]) == ("refresh-0", NOW + 86399)


@pytest.mark.parametrize("token", [None, "", "two words", 7, ["access"]])
def test_what_can_be_no_token_is_none(tmp_path: Path, highlevel: HighLevelServer, token: object) -> None:
    """It is asked for again, and never sent."""
    highlevel.respond = lambda _: Reply(
        200, {"access_token": token, "refresh_token": "r", "expires_in": 9999}
    )
    with pytest.raises(Unavailable):
        tokens_in(tmp_path, highlevel.url).refresh("access-0")
    assert len(highlevel.seen) == 3


def test_the_new_pair_is_on_disk_before_it_is_used(
    tmp_path: Path, highlevel: HighLevelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If it cannot be written, it is not used: the old pair stays, and the error is not hidden."""
    highlevel.respond = Issuer()
    tokens = tokens_in(tmp_path, highlevel.url)
    monkeypatch.setattr("os.fsync", _full_disk)
    with pytest.raises(OSError, match="no space"):
        tokens.refresh("access-0")
    assert tokens.token() == "access-0"


def _full_disk(_: int) -> None:
    message = "no space"
    raise OSError(message)


def test_a_spent_refresh_token_stops_the_run(tmp_path: Path, highlevel: HighLevelServer) -> None:
    """It says that the app has to be installed again, and shows no token."""
    highlevel.respond = Issuer(current="another")
    with pytest.raises(CredentialsRefused) as caught:
        tokens_in(tmp_path, highlevel.url).refresh("access-0")
    assert "install the app again" in str(caught.value)
    assert caught.value.missing == "token"
    assert "refresh-0" not in repr(caught.value) + str(caught.value)
    assert len(highlevel.seen) == 1


@pytest.mark.parametrize(
    "told",
    [
        {"error": "invalid_client"},
        {"error": "UnAuthorized!", "error_description": "Invalid client credentials!"},
    ],
    ids=["oauth", "described"],
)
def test_a_wrong_secret_is_not_taken_for_a_spent_token(
    tmp_path: Path, highlevel: HighLevelServer, told: dict[str, str]
) -> None:
    """It names the settings of the app: to install it again would change nothing."""
    highlevel.respond = lambda _: Reply(401, told)
    with pytest.raises(CredentialsRefused, match="OAUTH_CLIENT_SECRET") as caught:
        tokens_in(tmp_path, highlevel.url).refresh("access-0")
    assert "install" not in str(caught.value)
    assert len(highlevel.seen) == 1


def test_a_pair_in_the_spelling_of_version_3_is_understood(
    tmp_path: Path, highlevel: HighLevelServer
) -> None:
    """The file of an app that was installed through that version, and an answer in it."""
    pair = {"accessToken": "access-0", "refreshToken": "refresh-0", "userType": "Company", "companyId": "c"}
    (tmp_path / "oauth.json").write_text(json.dumps(pair))
    highlevel.reply(Reply(200, {"accessToken": "access-1", "refreshToken": "refresh-1", "expiresIn": 3600}))
    tokens = tokens_in(tmp_path, highlevel.url)
    assert (tokens.company, tokens.token()) == ("c", "access-1")
    kept = json.loads((tmp_path / "oauth.json").read_text())
    assert (kept["refresh_token"], kept["expires_at"]) == ("refresh-1", NOW + 3600)


def test_an_issuer_that_keeps_failing_is_unavailable(tmp_path: Path, highlevel: HighLevelServer) -> None:
    """Three attempts, then the run may be started again later with the same pair."""
    highlevel.respond = lambda _: Reply(503, b"")
    tokens = tokens_in(tmp_path, highlevel.url)
    with pytest.raises(Unavailable):
        tokens.refresh("access-0")
    assert len(highlevel.seen) == 3
    assert tokens.token() == "access-0"


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (None, "absent"),
        (b"", "no JSON"),
        (b'{"access_token": "S3CRET",\n}', "no JSON .see line 2, column 1"),
        (b'{"access_token": "S3CRET\xfc"}', "not in UTF-8"),
        (b"[]", "no pair"),
        (b'{"access_token": "S3CRET"}', "no pair"),
    ],
)
def test_a_missing_or_broken_file_is_a_wrong_setting(
    tmp_path: Path, content: bytes | None, wrong: str
) -> None:
    """It says what is wrong, what to do, and nothing of what the file holds."""
    if content is not None:
        (tmp_path / "oauth.json").write_bytes(content)
    tokens = OAuthTokens(tmp_path / "oauth.json", OAuthApp("client", "s"), "http://127.0.0.1:1")
    with pytest.raises(SettingsError, match=f"{wrong}.*install the app again") as caught:
        tokens.token()
    assert "S3CRET" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_a_file_that_an_editor_of_windows_has_saved_is_read(tmp_path: Path, encoding: str) -> None:
    """Notepad and PowerShell begin it with a BOM, or write UTF-16."""
    pair = {"access_token": "access-0", "refresh_token": "refresh-0", "expires_at": NOW + 3600}
    (tmp_path / "oauth.json").write_bytes(json.dumps(pair).encode(encoding))
    assert tokens_in(tmp_path, "http://127.0.0.1:1").token() == "access-0"


def agency_tokens(
    folder: Path,
    url: str,
    sleep: Callable[[float], object] = lambda _: None,
    expires_at: float = NOW + 3600,
) -> LocationTokens:
    """The tokens of a sub-account for which an agency has installed the app."""
    answer = {"access_token": "agency-0", "refresh_token": "refresh-0", "expires_at": expires_at}
    (folder / "oauth.json").write_text(json.dumps({**answer, "userType": "Company", "companyId": "c"}))
    agency = OAuthTokens(
        folder / "oauth.json", OAuthApp("client", "app-secret"), url, now=lambda: NOW, sleep=sleep
    )
    assert agency.company == "c"
    return LocationTokens(agency, "place", now=lambda: NOW)


def test_an_agencys_app_gives_each_sub_account_a_token(tmp_path: Path, highlevel: HighLevelServer) -> None:
    """For the agency's, which is exchanged when it is refused; asked for again when the sub-account's own is refused."""
    pair = {"access_token": "agency-1", "refresh_token": "refresh-1", "expires_in": 86399}
    given = [{"access_token": f"place-{number}"} for number in (1, 2)]
    highlevel.reply(Reply(401, {}), Reply(200, pair), Reply(200, given[0]), Reply(200, given[1]))
    tokens = agency_tokens(tmp_path, highlevel.url)
    assert [tokens.token(), tokens.token()] == ["place-1", "place-1"]
    assert not tokens.refresh("place-0") or tokens.token() == "place-1"
    assert tokens.refresh("place-1")
    assert tokens.token() == "place-2"
    assert "place-" not in repr(tokens)
    asked = [parse_qs(seen.body.decode()) for seen in highlevel.seen if seen.path.endswith("/locationToken")]
    assert asked == [{"companyId": ["c"], "locationId": ["place"]}] * 3
    exchanged = next(seen for seen in highlevel.seen if seen.path.endswith("/token"))
    assert parse_qs(exchanged.body.decode())["user_type"] == ["Company"]
    kept = json.loads((tmp_path / "oauth.json").read_text())
    assert (kept["refresh_token"], kept["company_id"]) == ("refresh-1", "c")


@pytest.mark.parametrize("expires_at", [NOW, NOW + 3600], ids=["ended", "lasts"])
def test_an_app_that_may_give_no_tokens_spends_one_refresh_token(
    tmp_path: Path, highlevel: HighLevelServer, expires_at: float
) -> None:
    """HighLevel refuses its lacking scope like a token that has ended: the new one, refused as well, is not exchanged."""
    pair = {"access_token": "agency-1", "refresh_token": "refresh-1", "expires_in": 86399}
    highlevel.respond = lambda seen: Reply(200, pair) if seen.path.endswith("/token") else Reply(401, {})
    tokens = agency_tokens(tmp_path, highlevel.url, expires_at=expires_at)
    with pytest.raises(CredentialsRefused, match=r"place.*oauth\.write") as caught:
        tokens.token()
    assert caught.value.exit_code == 3
    with pytest.raises(CredentialsRefused):  # another request of the same run
        tokens.token()
    assert [seen.path for seen in highlevel.seen].count("/oauth/token") == 1


@pytest.mark.parametrize(("status", "error"), [(403, CredentialsRefused), (503, Unavailable)])
def test_a_sub_account_without_the_app_is_named(
    status: int, error: type[Exception], tmp_path: Path, highlevel: HighLevelServer
) -> None:
    """A refusal says where to install it; a failing issuer is asked again after a pause, and by the next run."""
    highlevel.respond, pauses = lambda _: Reply(status, {}), list[float]()
    with pytest.raises(error, match="place" if status == 403 else "later"):
        agency_tokens(tmp_path, highlevel.url, pauses.append).token()
    assert len(pauses) == len(highlevel.seen) - 1 == (0 if status == 403 else 2)
