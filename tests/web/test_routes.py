"""Routes of authors and plugins: who gets there, with what, and what becomes of answers."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

import pycurrent as current
from pycurrent.errors import UsageError
from pycurrent.service.login import Role
from pycurrent.service.routes import LARGEST_LIMIT, Route, RouteAnswer, RouteRequest
from pycurrent.web.extensions import AuthorPage, Visit
from pycurrent.web.routes import MOST_HELD, OURS, check_routes
from pycurrent.web.server import check_settings
from pycurrent.web.settings import WebSettings

from .sites import ANY_PORT, running_site
from .visits import Site, access, open_site

HOOK = "/hooks/shop"
OTHER_SITE = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}


class Seen:
    """Notes what comes, and answers with what it was made with."""

    def __init__(self, answer: Any = RouteAnswer()) -> None:  # noqa: B008 - it is frozen
        self.requests: list[RouteRequest] = []
        self.answer = answer

    async def __call__(self, request: RouteRequest) -> RouteAnswer:
        self.requests.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        answer: RouteAnswer = self.answer  # or something else that a test gives
        return answer


@asynccontextmanager
async def site_with(tmp_path: Path, *routes: Route, **settings: Any) -> AsyncIterator[Site]:
    settings = {"access": access(tmp_path), **settings}
    async with open_site(tmp_path, settings=WebSettings(routes=[*routes], **settings)) as site:
        site.add_user("alice", Role.ADMIN)
        site.add_user("bob", Role.VIEWER)
        yield site


async def test_a_webhook_gets_what_was_sent_byte_for_byte(tmp_path: Path) -> None:
    """Without a login, from wherever, whatever the body says it is; cookies are left out."""
    hook = Seen(RouteAnswer.text("thanks", 202))
    body = b"a=1&b=\xff\x00\r\n{"
    async with site_with(tmp_path, Route("POST", "/hooks/{shop}/x", hook, role=None)) as site:
        client = site.stranger(cookies={"a": "b"})
        for kind in ("application/x-www-form-urlencoded", "application/json", "text/plain"):
            response = await client.post(
                "/hooks/tea%20pot/x?a=1&a=2",
                content=body,
                headers={"Content-Type": kind, "X-Sign": "s", "Authorization": "x", **OTHER_SITE},
            )
            assert (response.status_code, response.text) == (202, "thanks")
        request = hook.requests[-1]
        assert (request.method, request.path, request.params, request.query, request.body) == (
            "POST",
            "/hooks/tea pot/x",
            {"shop": "tea pot"},
            {"a": "2"},
            body,
        )
        assert (request.header("X-SIGN"), request.headers["authorization"]) == ("s", "x")
        assert request.header("cookie") is None
        assert request.user is None
        assert request.engine is site.harness.engine
        assert response.headers["x-content-type-options"] == "nosniff"
        assert (await client.get("/hooks/x/x")).status_code == 405


async def test_roles(tmp_path: Path) -> None:
    """Strangers and those without the role are refused as everywhere, before the body is read."""
    hook = Seen()
    async with site_with(tmp_path, Route("POST", HOOK, hook, role=Role.BUILDER)) as site:
        assert (await site.stranger().post(HOOK)).status_code == 401
        bob, alice = site.visitor(), site.visitor()
        await bob.log_in("bob")
        assert (await bob.post(HOOK)).status_code == 403
        await alice.log_in("alice")
        assert (await alice.post(HOOK)).status_code == 200
        assert [request.user and request.user.id for request in hook.requests] == ["local:alice"]


async def test_pages_of_other_sites_use_nobodys_session(tmp_path: Path) -> None:
    """A change with a cookie takes the token of our page, as the rest of the site does."""
    hook = Seen()
    async with site_with(tmp_path, Route("POST", HOOK, hook, role=Role.VIEWER)) as site:
        alice = site.visitor()
        await alice.log_in("alice")
        assert (await alice.client.post(HOOK, headers=OTHER_SITE)).status_code == 403
        assert (await alice.client.post(HOOK, content=b"{}")).status_code == 403
        token = {"X-CSRF-Token": alice.token}
        assert (await alice.client.post(HOOK, content=b"{}", headers=token)).status_code == 200
        assert [request.body for request in hook.requests] == [b"{}"]


async def test_pages(tmp_path: Path) -> None:
    """GET answers HTML as it is, under the rules for all pages; HEAD is answered too."""
    page = Seen(RouteAnswer.html("<p>hi</p>"))
    async with site_with(tmp_path, Route("GET", "/shop", page, role=Role.VIEWER)) as site:
        browser = site.stranger(headers={"Accept": "text/html"})
        assert (await browser.get("/shop")).headers["location"].startswith("/login")
        bob = site.visitor()
        await bob.log_in("bob")
        shown = await bob.get("/shop")
        assert shown.text == "<p>hi</p>"
        assert shown.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in shown.headers["content-security-policy"]
        assert (await bob.client.head("/shop")).status_code == 200


async def test_other_hosts(tmp_path: Path) -> None:
    """The site answers to its own names only."""
    async with site_with(tmp_path, Route("POST", HOOK, Seen(), role=None)) as site:
        assert (await site.stranger("http://evil.example").post(HOOK)).status_code == 421


async def test_bodies_that_are_too_large(tmp_path: Path) -> None:
    """They are refused by what they announce, and otherwise as soon as they have come too far."""
    small, large = Seen(), Seen()
    routes = (
        Route("POST", "/hooks/small", small, role=None, limit=100_000),
        Route("POST", "/hooks/large", large, role=None, limit=LARGEST_LIMIT),
    )
    settings = WebSettings(port=0, access=ANY_PORT.access, routes=routes)
    async with (
        running_site(lambda: current.constant(1), tmp_path, settings=settings) as site,
        httpx.AsyncClient(base_url=site.url, timeout=60) as client,
    ):
        response = await client.post("/hooks/small", content=bytes(100_001))
        assert response.status_code == 413
        assert "100,000 bytes" in response.json()["detail"]
        address = httpx.URL(site.url)
        reader, writer = await asyncio.open_connection(address.host, address.port)
        head = f"POST /hooks/small HTTP/1.1\r\nHost: {address.netloc.decode()}\r\n"
        chunk = b"%x\r\n%b\r\n" % (100_001, bytes(100_001))
        writer.write(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunk)
        assert b" 413 " in await reader.readline()  # before the end of what it sends
        writer.close()
        assert small.requests == []
        body = bytes(range(256)) * (LARGEST_LIMIT // 256)
        assert (await client.post("/hooks/large", content=body)).status_code == 200
        assert large.requests[0].body == body


async def test_strangers_fill_no_memory(tmp_path: Path) -> None:
    """All bodies together have a limit, beyond which later ones have to wait."""
    at_once = MOST_HELD // LARGEST_LIMIT
    inside = asyncio.Semaphore(0)
    leave = asyncio.Event()

    async def slow(request: RouteRequest) -> RouteAnswer:
        inside.release()
        await leave.wait()
        return RouteAnswer()

    route = Route("POST", HOOK, slow, role=None, limit=LARGEST_LIMIT)
    async with site_with(tmp_path, route) as site:
        client = site.stranger(timeout=60)
        body = bytes(LARGEST_LIMIT)
        sent = [asyncio.create_task(client.post(HOOK, content=body)) for _ in range(at_once)]
        for _ in sent:
            await inside.acquire()
        response = await client.post(HOOK, content=b"x")
        assert (response.status_code, response.headers["retry-after"]) == (503, "5")
        leave.set()
        assert [(await one).status_code for one in sent] == [200] * at_once
        assert (await client.post(HOOK, content=b"x")).status_code == 200


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (ValueError("a secret"), r"ValueError: a secret (test_routes.py:"),
        (UsageError("a secret"), "a secret (test_routes.py:"),
        (None, "TypeError: the handler has returned None, not a RouteAnswer"),
        (RouteAnswer(99), "ValueError: 99 can't be the status"),
        (RouteAnswer(200, {"X": "a\r\nB: c"}), "can't be a header"),
        (RouteAnswer(200, {"X": "\N{SNOWMAN}"}), "UnicodeEncodeError"),
        (asyncio.CancelledError(), None),
    ],
)
async def test_handlers_that_fail(tmp_path: Path, answer: Any, told: str | None) -> None:
    """The engine's problem names the author's line; the sender is told nothing of it. It is gone
    when the route answers again.
    """
    hook = Seen(answer)
    if told is None:

        async def cancelled(request: RouteRequest) -> RouteAnswer:
            if hook.answer is answer:
                raise answer
            return RouteAnswer()

        handler, told = cancelled, "the handler has waited for a task that was cancelled"
    else:
        handler = hook.__call__
    async with site_with(tmp_path, Route("POST", HOOK, handler, role=None)) as site:
        response = await site.stranger().post(HOOK)
        assert response.status_code == 500
        assert "secret" not in response.text
        assert response.headers["content-type"] == "application/problem+json"
        (problem,) = site.harness.engine.problems
        assert f"POST {HOOK} failed: " in problem.message
        assert told in problem.message
        hook.answer = RouteAnswer(204, {"Content-Length": "7"}, b"no body")
        assert (await site.stranger().post(HOOK)).content == b""
        assert list(site.harness.engine.problems) == []


async def test_a_handler_that_hangs(tmp_path: Path) -> None:
    """It is cancelled, even if it doesn't care, and the sender is told to come again."""
    ended = asyncio.Event()

    async def hangs(request: RouteRequest) -> RouteAnswer:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await ended.wait()
        return RouteAnswer()

    async with site_with(tmp_path, Route("POST", HOOK, hangs, role=None, seconds=0.01)) as site:
        response = await site.stranger().post(HOOK)
        assert response.status_code == 503
        (problem,) = site.harness.engine.problems
        assert problem.message == f"POST {HOOK} has not answered within 0.01 s"
        ended.set()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/api/v1/x", "/api is the site's own"),
        ("/metrics", "/metrics is the site's own"),
        ("/static/x", "/static is the site's own"),
        ("/{x}/hook", "could be any of the site's own"),
    ],
)
def test_routes_that_would_shadow_the_site(path: str, message: str) -> None:
    """They are refused before anything runs."""
    with pytest.raises(UsageError, match=message):
        check_settings(WebSettings(routes=[Route("POST", path, Seen())]))


def test_routes_that_are_alike() -> None:
    """One of them would never be reached; another method is fine."""
    one, other = Route("POST", "/hooks/{a}", Seen()), Route("POST", "/hooks/{b}", Seen())
    check_routes([one, Route("PUT", "/hooks/{b}", Seen())])
    with pytest.raises(UsageError, match="another one is like it"):
        check_routes([one, other])


async def test_all_paths_of_the_site_are_its_own(tmp_path: Path) -> None:
    """A new one has its first part in the list."""

    def paths(listed: Any) -> set[str]:
        found: set[str] = set()
        for route in listed:
            found |= {getattr(route, "path", "/")}
            found |= paths(getattr(getattr(route, "original_router", None), "routes", ()))
        return found

    async with open_site(tmp_path) as site:
        app: FastAPI = site.app
        firsts = {path.split("/")[1] for path in paths(app.routes)} - {""}
        assert firsts == OURS


async def test_pages_see_the_engine(tmp_path: Path) -> None:
    """As routes do; a visit that a test has made may have none."""

    def steps(visit: Visit) -> str:
        return json.dumps({"steps": visit.engine.steps > 0})

    pages = (AuthorPage("steps", "Steps", steps),)
    settings = WebSettings(access=access(tmp_path), pages=pages)
    async with open_site(tmp_path, settings=settings) as site:
        assert "{&#34;steps&#34;: true}" in (await site.client().get("/page/steps")).text
    with pytest.raises(UsageError, match="this visit has no engine"):
        Visit(None, {}).engine  # noqa: B018 - it is asked for
