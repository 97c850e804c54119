"""How long a browser stays logged in, and what its cookies tell it."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from http.cookies import Morsel, SimpleCookie
from pathlib import Path

import httpx
import pytest
from fastapi import Request, Response

from pycurrent.store import AccessDatabase
from pycurrent.testing import VirtualClock
from pycurrent.web.auth.cookies import SESSION, Cookies
from pycurrent.web.auth.sessions import Sessions
from pycurrent.web.settings import WebSettings
from pycurrent.web.users import Role, User
from pycurrent.web.users.keys import digest_of

from .visits import PASSWORD, Site, Visitor, access, open_site

ALICE = User("local:alice", "alice")
DAY, HOUR, TICK = timedelta(days=1), timedelta(hours=1), timedelta(microseconds=1)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[AccessDatabase]:
    with AccessDatabase.open_or_make(tmp_path) as opened:
        yield opened


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def sessions(database: AccessDatabase, clock: VirtualClock) -> Sessions:
    return Sessions(database, clock)


# Sessions


async def test_a_session_that_has_ended_counts_for_nothing(tmp_path: Path) -> None:
    """Neither as a login, nor as a cookie that changes have to be proven with."""
    settings = WebSettings(access=access(tmp_path, allow_anonymous=Role.ADMIN))
    async with open_site(tmp_path, settings=settings) as site:
        name = f"pycurrent-session-{site.access.owner.engine_id}"
        client = site.stranger(cookies={name: site.access.sessions.begin(ALICE)})
        answer = await client.put("/api/v1/confirm", json={"level": None})
        assert answer.status_code == 200
        assert "local:alice" not in (await client.get("/jobs")).text


def test_a_session_that_is_not_used_ends_after_a_week(
    sessions: Sessions, clock: VirtualClock
) -> None:
    """To the microsecond; use just before its end keeps it open."""
    used, unused = sessions.begin(ALICE), sessions.begin(ALICE)
    clock.move(7 * DAY - TICK)
    assert sessions.find(used) == ALICE
    clock.move(TICK)
    assert sessions.find(unused) is None
    assert sessions.find(used) == ALICE


def test_no_use_keeps_a_session_open_for_longer_than_a_month(
    sessions: Sessions, clock: VirtualClock
) -> None:
    """From its beginning, not from its last use."""
    key = sessions.begin(ALICE)
    for _ in range(5):
        clock.move(6 * DAY - TICK)
        assert sessions.find(key) == ALICE
    clock.move(5 * TICK)
    assert sessions.find(key) is None


def test_use_within_an_hour_of_the_last_note_is_not_noted(
    sessions: Sessions, clock: VirtualClock, database: AccessDatabase
) -> None:
    """Most requests write nothing; a later one prolongs the session by a week from then."""
    key = sessions.begin(ALICE)

    def end() -> datetime:
        found = database.session(digest_of(key), clock.now())
        assert found is not None
        return found.expires

    first = end()
    assert first == clock.now() + 7 * DAY
    clock.move(HOUR)
    sessions.find(key)
    assert end() == first
    clock.move(TICK)
    sessions.find(key)
    assert end() == first + HOUR + TICK


def test_a_session_that_was_ended_is_nobodys(sessions: Sessions) -> None:
    """Ending it twice is fine, and the user's other sessions go on."""
    one, other = sessions.begin(ALICE), sessions.begin(ALICE)
    assert one != other
    for _ in range(2):
        sessions.end(one)
        assert sessions.find(one) is None
    assert sessions.find(other) == ALICE


# Cookies


def asked(scheme: str = "http", cookies: Mapping[str, str] | None = None) -> Request:
    """A request that carries these cookies."""
    text = "; ".join(f"{name}={value}" for name, value in (cookies or {}).items())
    return Request(
        {
            "type": "http",
            "method": "GET",
            "scheme": scheme,
            "path": "/",
            "query_string": b"",
            "server": ("ci.example.org", 80),
            "headers": [(b"host", b"ci.example.org"), (b"cookie", text.encode())],
        }
    )


def cookies_in(response: Response | httpx.Response) -> list[Morsel[str]]:
    """The cookies that a response sets, in its order."""
    found: list[Morsel[str]] = []
    for name, value in response.headers.items():
        if name == "set-cookie":
            found += SimpleCookie(value).values()
    return found


@pytest.mark.parametrize(
    ("scheme", "public_origin", "is_secure"),
    [
        ("http", None, False),
        ("http", "http://ci.example.org", False),
        ("http", "https://ci.example.org", True),
        ("https", None, True),
        ("https", "http://ci.example.org", True),
    ],
)
def test_cookies_are_for_https_only_if_the_browser_speaks_https(
    scheme: str, public_origin: str | None, is_secure: bool
) -> None:
    """With us, or with a proxy at the public address, which may speak http with us."""
    cookies = Cookies.of(asked(scheme), public_origin=public_origin, engine_id="e1")
    response = Response()
    cookies.set(response, SESSION, "key")
    cookies.drop(response, SESSION)
    prefix = "__Host-" if is_secure else ""
    for cookie in cookies_in(response):
        assert cookie.key == f"{prefix}pycurrent-session-e1"
        assert bool(cookie["secure"]) is is_secure


def test_a_cookie_is_dropped_as_it_was_set() -> None:
    """Browsers refuse `__Host-` cookies, and their ends too, that are not for all of one host over
    https; no script reads either, and no form of another site brings it.
    """
    cookies, response = Cookies(secure=True, engine_id="e1"), Response()
    cookies.set(response, SESSION, "key", last=DAY)
    cookies.drop(response, SESSION)
    made, dropped = cookies_in(response)
    assert (made.value, made["max-age"]) == ("key", "86400")
    assert (dropped.value, dropped["max-age"]) == ("", "0")
    for cookie in (made, dropped):
        assert cookie["path"] == "/"
        assert cookie["domain"] == ""
        assert cookie["samesite"] == "lax"
        assert cookie["httponly"]
        assert cookie["secure"]


def test_a_cookie_without_a_time_ends_with_the_browser() -> None:
    """It has neither an age nor a date."""
    response = Response()
    Cookies(secure=False, engine_id="e1").set(response, SESSION, "key")
    (cookie,) = cookies_in(response)
    assert (cookie["max-age"], cookie["expires"]) == ("", "")


def test_an_empty_cookie_is_none() -> None:
    """As for one that was not sent, or that is another engine's."""
    cookies = Cookies(secure=False, engine_id="e1")
    for sent, found in (
        ({"pycurrent-session-e1": "key"}, "key"),
        ({"pycurrent-session-e1": ""}, None),
        ({"pycurrent-session-e2": "key"}, None),
        ({"pycurrent-visitor-e1": "key"}, None),
        ({}, None),
    ):
        assert cookies.get(asked(cookies=sent), SESSION) == found


async def test_the_cookies_of_a_login_last_as_long_as_what_they_are_for(tmp_path: Path) -> None:
    """A session a month, the mark of a known browser a year, that of a visitor until the end of
    the browser: it ends when somebody logs in.
    """
    async with open_site(tmp_path) as site:
        site.add_user("alice", Role.ADMIN)
        visitor = site.visitor()
        before = ages(await visitor.get("/login"), site)
        fields = {"name": "alice", "password": PASSWORD}
        login = await visitor.post("/login/local", **fields)
        assert before == {"visitor": ""}
        assert ages(login, site) == {
            "session": str(30 * 86400),
            "known": str(365 * 86400),
            "visitor": "0",
        }
        await visitor.get("/jobs")
        assert ages(await visitor.post("/logout"), site)["session"] == "0"


def ages(response: httpx.Response, site: Site) -> dict[str, str]:
    """The `Max-Age` of each of our cookies that the response sets: the last one counts."""
    engine = site.access.owner.engine_id
    return {
        cookie.key.removeprefix("pycurrent-").removesuffix(f"-{engine}"): cookie["max-age"]
        for cookie in cookies_in(response)
    }


async def test_a_visitor_keeps_one_mark(tmp_path: Path) -> None:
    """Forms of a page that was opened earlier still count."""
    async with open_site(tmp_path) as site:
        site.add_user("alice", Role.ADMIN)
        visitor = Visitor(site.stranger())
        await visitor.get("/login")
        token, mark = visitor.token, dict(visitor.client.cookies)
        assert cookies_in(await visitor.get("/login")) == []
        assert dict(visitor.client.cookies) == mark
        answer = await visitor.client.post(
            "/login/local", data={"csrf_token": token, "name": "alice", "password": PASSWORD}
        )
        assert answer.status_code == 303
