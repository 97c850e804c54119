"""Who runs the engine is let in at home, by the token in its state directory."""

import os
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from starlette.types import Message, Receive, Scope, Send

from pycurrent.web.auth import Entrance
from pycurrent.web.settings import WebSettings
from pycurrent.web.users import PASSWORD_FILE, PasswordFile, Role
from pycurrent.web.users.owner import TOKEN_FILE

from .sites import running_site
from .visits import HASH, Site, access, open_site, pipeline

OWN_PORT = WebSettings(port=0)


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """On this machine only, and without any user."""
    async with open_site(tmp_path) as opened:
        yield opened


async def enter(site: Site, token: str | None = None) -> httpx.AsyncClient:
    """A browser that has opened the printed address."""
    client = site.stranger()
    page = await client.get(f"/?token={token or site.token}&state=failed")
    assert (page.status_code, page.headers["location"]) == (303, "/?state=failed")
    return client


PLAIN_PROXY = {"Connection": "close"}
STRANGERS: list[dict[str, str]] = [
    {},
    PLAIN_PROXY,
    {"X-Forwarded-For": "127.0.0.1"},
    {"Forwarded": "for=127.0.0.1"},
    {"Authorization": "Basic cm9vdDpyb290"},
    {"Authorization": "Bearer pyc_"},
    {"Cookie": "pycurrent-session=; pycurrent-session-8080="},
]


@pytest.mark.parametrize("headers", STRANGERS)
async def test_an_address_on_this_machine_is_not_enough(
    site: Site, headers: dict[str, str]
) -> None:
    """A plain proxy, a job in a sandbox and other users of the machine have one, too."""
    client = site.stranger(headers=headers)
    for path in ("/", "/jobs", "/history", "/badge.svg", "/metrics", "/api/v1/overview"):
        assert (await client.get(path)).status_code == 401, path
    change = await client.put("/api/v1/confirm", json={"level": None})
    assert change.status_code == 401
    assert site.harness.engine.config.confirm is not None
    for path in ("/healthz", "/readyz"):
        assert (await client.get(path)).status_code == 200


async def test_the_page_for_strangers_says_where_the_address_is(site: Site) -> None:
    """Without telling anything about the pipeline."""
    for path in ("/", "/login"):
        page = await site.stranger().get(path)
        assert "`pycurrent client address`" in page.text, path
        assert "reply" not in page.text
        assert site.token not in page.text


async def test_the_printed_address_lets_a_browser_in(site: Site) -> None:
    """It gets a cookie, and the token goes out of the address; the rest of it stays."""
    client = await enter(site)
    cookie = client.cookies[f"pycurrent-session-{site.access.owner.engine_id}"]
    assert cookie != site.token
    page = await client.get("/jobs")
    assert page.status_code == 200
    assert site.token not in page.text
    assert site.access.owner.user.id in page.text


async def test_the_cookie_is_for_this_site_only(site: Site) -> None:
    """No script reads it, and no form of another site brings it."""
    answer = await site.stranger().get(f"/?token={site.token}")
    (cookie,) = [text for text in answer.headers.get_list("set-cookie") if "Max-Age=0" not in text]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("query", "left"), [("", "/"), ("&text=&state=a%26b", "/?text=&state=a%26b")]
)
async def test_only_the_token_goes_out_of_the_address(site: Site, query: str, left: str) -> None:
    """What else is in it stays as it was."""
    page = await site.stranger().get(f"/?token={site.token}{query}")
    assert page.headers["location"] == left


@pytest.mark.parametrize(
    ("kind", "path", "query"),
    [
        ("http", "/", b""),
        ("http", "/", b"state=failed"),
        ("http", "/jobs", b"token=x"),
        ("websocket", "/", b"token=x"),
    ],
)
async def test_what_does_not_bring_the_token_to_the_first_page_is_passed_on(
    kind: str, path: str, query: bytes
) -> None:
    """Once, and without looking at it."""
    passed_on: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        passed_on.append(scope)

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        raise AssertionError

    scope = {"type": kind, "path": path, "query_string": query, "headers": []}
    await Entrance(app)(scope, receive, send)
    assert passed_on == [scope]


async def test_where_a_login_is_set_up_no_token_begins_a_session(site: Site) -> None:
    """Neither the right one nor a wrong one; the address loses it."""
    token = site.token
    site.add_user("alice", Role.ADMIN)
    for given in (token, "wrong"):
        client = site.stranger()
        page = await client.get(f"/?token={given}")
        assert (page.status_code, page.headers["location"]) == (303, "/")
        assert not any("session" in name for name in client.cookies)


@pytest.mark.parametrize("token", ["", "x", "pyc_wrong", "\u00e4", "x" * 5000])
async def test_another_token_lets_nobody_in(site: Site, token: str) -> None:
    """That of another engine, say, or one that was cut off."""
    for given in (token, site.token[:-1]):
        client = site.stranger()
        page = await client.get("/", params={"token": given})
        assert page.status_code == 401
        assert not any("session" in name for name in client.cookies)
        assert (await client.get("/jobs")).status_code == 401


async def test_a_program_sends_the_token_as_any_other(site: Site) -> None:
    """Through a proxy, too: it is not the way that counts."""
    headers = {"Authorization": f"Bearer {site.token}", "X-Forwarded-For": "203.0.113.7"}
    client = site.stranger(headers=headers)
    assert (await client.put("/api/v1/confirm", json={"level": None})).status_code == 200


async def test_forms_of_who_runs_the_engine_are_proven_as_all_are(site: Site) -> None:
    """The cookie alone changes nothing; what is done has a name in the log."""
    visitor = site.visitor()
    await visitor.get("/jobs")
    job = site.job("reply risky")
    assert (await visitor.client.post(f"/job/{job}/approve")).status_code == 403
    assert (await visitor.post(f"/job/{job}/approve")).status_code == 303
    await site.harness.settle()
    assert f"Approved by {site.access.owner.user.name}" in site.harness.log("reply risky")


async def test_the_token_ends_where_a_login_is_set_up(site: Site) -> None:
    """At once, and so do the sessions that it began; the address still loses it."""
    client = await enter(site)
    site.add_user("alice", Role.ADMIN)
    assert (await client.get("/jobs")).status_code == 303
    bearer = {"Authorization": f"Bearer {site.token}"}
    assert (await site.stranger().get("/api/v1/overview", headers=bearer)).status_code == 401
    stranger = await enter(site)
    assert (await stranger.get("/jobs")).headers["location"].startswith("/login")


async def test_the_token_of_a_site_for_others_is_nobodys(tmp_path: Path) -> None:
    """Who brings it is who anybody is: not refused, where anybody may look."""
    settings = WebSettings(host="0.0.0.0", access=access(tmp_path, allow_anonymous=Role.VIEWER))
    async with open_site(tmp_path, settings=settings) as site:
        client = site.stranger(headers={"Authorization": f"Bearer {site.token}"})
        assert (await client.get("/api/v1/overview")).status_code == 200
        assert (await client.put("/api/v1/confirm", json={"level": None})).status_code == 403


async def test_two_engines_on_a_machine_leave_each_others_cookies_alone(tmp_path: Path) -> None:
    """Cookies don't tell ports apart."""
    async with (
        open_site(tmp_path / "one") as one,
        open_site(tmp_path / "two") as two,
    ):
        assert one.access.owner.engine_id != two.access.owner.engine_id
        client = await enter(one)
        assert (await two.stranger(cookies=client.cookies).get("/jobs")).status_code == 401
        bearer = {"Authorization": f"Bearer {one.token}"}
        assert (await two.stranger(headers=bearer).get("/jobs")).status_code == 401


async def test_the_token_is_made_once(tmp_path: Path) -> None:
    """For its owner's eyes only; a browser that was let in stays so after a restart."""
    async with open_site(tmp_path) as site:
        token, client = site.token, await enter(site)
    file = tmp_path / TOKEN_FILE
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o644)
    async with open_site(tmp_path) as again:
        assert again.token == token
        assert file.stat().st_mode & 0o777 == 0o600
        back = again.stranger(cookies=client.cookies)
        assert (await back.get("/jobs")).status_code == 200


def _cut_off(file: Path) -> None:
    file.write_text(file.read_text()[:20])


def _folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda file: file.write_text(""),
    "a line": lambda file: file.write_text("\n"),
    "cut off": _cut_off,
    "no text": lambda file: file.write_bytes(b"\xff\xfe\0"),
    "a folder": _folder,
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_damaged_token_lets_nobody_in(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said where that can be mended."""
    async with open_site(tmp_path):
        pass
    DAMAGES[damage](tmp_path / TOKEN_FILE)
    async with open_site(tmp_path) as site:
        for token in ("", "\n", (site.access.owner.token or "")):
            for client in (
                site.stranger(headers={"Authorization": f"Bearer {token.strip()}"}),
                site.stranger(cookies={f"pycurrent-session-{site.access.owner.engine_id}": ""}),
            ):
                assert (await client.get("/", params={"token": token})).status_code == 401
                assert (await client.get("/api/v1/overview")).status_code == 401
        page = await site.stranger().get("/jobs")
    assert "the file `token` in the state directory is damaged" in page.text
    assert "to have another one" in caplog.text


# A login that was set up


def _typos(file: Path) -> None:
    file.write_text(re.sub("scrypt", "scrpyt", file.read_text()))


def _short_hashes(file: Path) -> None:
    """Cut off where it is still base64."""
    file.write_text(re.sub(r"(?m).{80}$", "", file.read_text()))


def _loop(file: Path) -> None:
    file.unlink()
    file.symlink_to(file)


USERS: dict[str, Callable[[Path], object]] = {
    "typos": _typos,
    "empty": lambda file: file.write_text(""),
    "comments only": lambda file: file.write_text("# alice:admin\n"),
    "cut off": lambda file: file.write_text(file.read_text()[:60]),
    "short hashes": _short_hashes,
    "no text": lambda file: file.write_bytes(os.urandom(100)),
    "a folder": _folder,
    "a loop": _loop,
    "gone": lambda file: file.unlink(),
    "nobody left": lambda file: [PasswordFile(file).remove(name) for name in ("alice", "bob")],
}


@pytest.mark.parametrize("restarted", [False, True], ids=["running", "restarted"])
@pytest.mark.parametrize("damage", USERS)
async def test_a_login_that_was_set_up_stays_set_up(
    tmp_path: Path, damage: str, restarted: bool
) -> None:
    """Whatever becomes of the file of users: nobody is let in then, and never everybody."""

    async def check(site: Site) -> None:
        for client in (site.stranger(), await enter(site)):
            answer = await client.get("/api/v1/overview")
            assert answer.status_code == 401
            assert (await client.put("/api/v1/confirm", json={"level": None})).status_code == 401
            assert (await client.get("/")).headers["location"].startswith("/login")
        visitor = site.visitor()
        for password in ("", "x", "correct horse"):
            assert (await visitor.log_in("alice", password)).status_code in {403, 404}
        assert site.harness.engine.config.confirm is not None

    file = tmp_path / PASSWORD_FILE
    async with open_site(tmp_path) as site:
        site.add_user("alice", Role.ADMIN)
        site.add_user("bob", Role.ADMIN)
        assert (await site.stranger().get("/api/v1/overview")).status_code == 401
        USERS[damage](file)
        if not restarted:
            await check(site)
    if restarted:
        async with open_site(tmp_path) as site:
            await check(site)


async def test_a_file_of_users_that_nobody_was_ever_in_is_a_login_too(tmp_path: Path) -> None:
    """Written by hand, before the first start, with a typo."""
    (tmp_path / PASSWORD_FILE).write_text(f"alice:king:{HASH}\n")
    async with open_site(tmp_path) as site:
        assert not site.access.is_at_home
        assert (await site.stranger().get("/api/v1/overview")).status_code == 401
        # Who mends it is let in, and needs no restart.
        site.add_user("alice", Role.ADMIN)
        assert (await site.visitor().log_in("alice")).status_code == 303


# What is told


async def test_the_command_line_finds_the_engine_in_its_state_directory(tmp_path: Path) -> None:
    """While it runs."""
    async with running_site(pipeline, tmp_path, settings=OWN_PORT) as site:
        assert (tmp_path / "address").read_text() == f"{site.url}\n"
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"{site.url}/api/v1/overview")).status_code == 401
            assert (await client.get(f"{site.url}/healthz")).status_code == 200
    assert not (tmp_path / "address").exists()
