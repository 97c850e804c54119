"""Those who mean harm, and those who are only broken."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import uvicorn
from fastapi import FastAPI, Request
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

import pycurrent as current
from pycurrent.engine import Level
from pycurrent.engine.site_links import stage_url
from pycurrent.service.routes import LARGEST_BODY
from pycurrent.web.auth import SiteAddress as Address
from pycurrent.web.auth.names import host_name, origin_of
from pycurrent.web.auth.proxies import believed
from pycurrent.web.extensions import AuthorPage
from pycurrent.web.middleware import BugsAnswered, LimitedBodies, PatientProtocol
from pycurrent.web.middleware.connections import KEPT_SECONDS
from pycurrent.web.settings import WebSettings
from pycurrent.web.users import Role

from .sites import running_site
from .visits import FORM, NASTY, Reply, Site, Visitor, access, open_site, pipeline

EVIL = "https://evil.example"


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """On this machine, where nobody has set up a login."""
    async with open_site(tmp_path) as opened:
        yield opened


@pytest_asyncio.fixture
async def locked(tmp_path: Path) -> AsyncIterator[Site]:
    """At which somebody has to log in."""
    async with open_site(tmp_path) as opened:
        opened.add_user("alice", Role.ADMIN)
        yield opened


def routes(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Each method and path that is served, with something in the place of parameters."""
    for route in all_routes(app.routes):
        for method in sorted((route.methods or set()) - {"HEAD"}):
            yield method, re.sub(r"{[^}]*}", "x", route.path)


def all_routes(listed: Any) -> Iterator[APIRoute]:
    """Those of routers that are included, too."""
    for route in listed:
        if isinstance(route, APIRoute):
            yield route
        else:
            inner = getattr(route, "original_router", None)
            yield from all_routes(getattr(inner, "routes", ()))


# Forms of other sites


OPEN = {
    "/login",
    "/login/x/begin",
    "/login/x/callback",
    "/favicon.ico",
    "/robots.txt",
    "/api",
    "/api/v1/openapi.json",
    "/healthz",
    "/readyz",
    "/theme",
    "/logout",
    "/login/x",
}
"""What who has not logged in may ask for."""


async def test_nothing_is_open_that_does_not_have_to_be(locked: Site) -> None:
    """A route that was forgotten would be found here."""
    found = list(routes(locked.app))
    assert len(found) > 40
    for method, path in found:
        if path in OPEN:
            continue
        response = await locked.client().request(method, path)
        if path.startswith("/content/"):
            # The ticket in the address is what lets somebody in.
            assert response.status_code == 404
            continue
        refused = response.status_code in {401, 422} or (
            response.status_code == 303 and response.headers["location"].startswith("/login")
        )
        assert refused, (method, path, response.status_code)
        if response.status_code == 422:
            # The path is looked at first; with one that is right it is refused, too.
            right = path.replace("/x/x", "/2026-01-01/000000-x-000000")
            assert (await locked.client().request(method, right)).status_code == 401, path


async def test_no_change_is_taken_from_a_form_of_another_site(site: Site) -> None:
    """Whatever the route, and whoever may do it."""
    changes = [(method, path) for method, path in routes(site.app) if method != "GET"]
    assert len(changes) > 15
    visitor = site.visitor()
    await visitor.get("/")
    for method, path in changes:
        right = path.replace("/x/x", "/2026-01-01/000000-x-000000")
        response = await visitor.client.request(
            method,
            right,
            data={"csrf_token": visitor.token},
            headers={"Origin": EVIL},
        )
        assert response.status_code == 403, (method, path, response.status_code)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": EVIL},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:3000"},
        {"Origin": "https://127.0.0.1:8080"},
        {"Origin": "http://localhost:8080"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_what_a_browser_says_comes_from_elsewhere_is_refused(
    site: Site, headers: dict[str, str]
) -> None:
    """Another port is elsewhere; so for the API, even with the proof that a form needs."""
    visitor = site.visitor()
    await visitor.get("/")
    proven = {"X-CSRF-Token": visitor.token, **headers}
    form = await visitor.client.post(
        "/confirm", data={"csrf_token": visitor.token, "level": "none"}, headers=headers
    )
    api = await visitor.client.put("/api/v1/confirm", json={"level": None}, headers=proven)
    assert [form.status_code, api.status_code] == [403, 403]
    assert site.harness.engine.config.confirm is not None


@pytest.mark.parametrize("token", [None, "", "0" * 64, "\u00e4", "x" * 100_000])
async def test_a_form_has_to_bring_the_token_of_its_page(site: Site, token: str | None) -> None:
    """An old browser may not say where a form comes from."""
    visitor = site.visitor()
    await visitor.get("/")
    fields = {"level": "none"} if token is None else {"level": "none", "csrf_token": token}
    response = await visitor.client.post("/confirm", data=fields)
    assert response.status_code == 403
    assert site.harness.engine.config.confirm is not None


async def test_the_token_of_another_browser_is_refused(site: Site) -> None:
    """It belongs to the cookie."""
    one, other = site.visitor(), site.visitor()
    await one.get("/")
    await other.get("/")
    other.token = one.token
    assert (await other.post("/confirm", level="none")).status_code == 403
    nobody = site.stranger()
    data = {"csrf_token": one.token, "level": "none"}
    assert (await nobody.post("/confirm", data=data)).status_code == 401


async def test_the_api_asks_a_browser_that_is_logged_in_for_the_token(locked: Site) -> None:
    """A cookie alone changes nothing; with the header of our own scripts it does."""
    visitor = locked.visitor()
    await visitor.log_in("alice")
    change = {"level": None}
    assert (await visitor.client.put("/api/v1/confirm", json=change)).status_code == 403
    headers = {"X-CSRF-Token": visitor.token, "Origin": "http://127.0.0.1:8080"}
    good = await visitor.client.put("/api/v1/confirm", json=change, headers=headers)
    assert good.status_code == 200


async def test_a_program_needs_no_proof_beside_its_token(site: Site) -> None:
    """No page of another site knows it: it may send a form, too, and say where it comes from."""
    assert (await site.client().put("/api/v1/confirm", json={"level": None})).status_code == 200
    form = {"level": "dangerous"}
    answer = await site.client().post("/confirm", data=form, headers={"Origin": EVIL})
    assert answer.status_code == 303
    assert site.harness.engine.config.confirm is Level.DANGEROUS


async def test_only_a_form_brings_the_token_in_a_field(locked: Site) -> None:
    """In a body that says that it is something else it does not count."""
    visitor = locked.visitor()
    await visitor.log_in("alice")
    body = f"csrf_token={visitor.token}&level=none"
    for kind, answers in (("application/json", 403), (FORM["Content-Type"], 303)):
        headers = {"Content-Type": kind}
        answer = await visitor.client.post("/confirm", content=body, headers=headers)
        assert answer.status_code == answers


async def test_a_script_may_send_a_form_with_the_token_in_the_header(locked: Site) -> None:
    """It has to put it into one of the two places only."""
    visitor = locked.visitor()
    await visitor.log_in("alice")
    headers = {"X-CSRF-Token": visitor.token}
    answer = await visitor.client.post("/confirm", data={"level": "none"}, headers=headers)
    assert answer.status_code == 303
    assert locked.harness.engine.config.confirm is None


async def test_a_form_of_a_browser_without_cookies_is_refused(tmp_path: Path) -> None:
    """With whatever token: there is none for it."""
    settings = WebSettings(access=access(tmp_path, allow_anonymous=Role.ADMIN))
    async with open_site(tmp_path, settings=settings) as site:
        visitor = site.visitor()
        await visitor.get("/")
        data = {"csrf_token": visitor.token, "level": "none"}
        assert (await site.stranger().post("/confirm", data=data)).status_code == 403
        assert (await visitor.client.post("/confirm", data=data)).status_code == 303


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x"])
async def test_the_other_kinds_of_forms_are_refused_too(site: Site, kind: str) -> None:
    """A browser sends them anywhere without asking."""
    body = b'{"level": null, "x": "="}'
    for method, path in (("PUT", "/api/v1/confirm"), ("POST", "/confirm")):
        response = await site.client().request(
            method, path, content=body, headers={"Content-Type": kind}
        )
        assert response.status_code in {403, 422}
    assert site.harness.engine.config.confirm is not None


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "TEXT/PLAIN; charset=utf-8",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ],
)
async def test_a_form_of_any_kind_is_checked_though_no_cookie_comes_with_it(
    tmp_path: Path, kind: str
) -> None:
    """Where anybody may do everything, a page of another site could send it."""
    settings = WebSettings(access=access(tmp_path, allow_anonymous=Role.ADMIN))
    async with open_site(tmp_path, settings=settings) as site:
        client = site.stranger()
        body, headers = b'{"level": null, "x": "="}', {"Content-Type": kind}
        api = await client.put("/api/v1/confirm", content=body, headers=headers)
        job = site.job("reply risky")
        start = await client.post(f"/api/v1/jobs/{job}/approve", content=body, headers=headers)
        assert (api.status_code, start.status_code) == (403, 403)
        assert site.harness.engine.config.confirm is not None
        json = {"Content-Type": "application/json"}
        assert (
            await client.put("/api/v1/confirm", content=b'{"level": null}', headers=json)
        ).status_code == 200


async def test_nobody_is_logged_in_by_a_form_of_another_site(locked: Site) -> None:
    """To the attacker's own account, say."""
    response = await locked.client().post(
        "/login/local", data={"name": "alice", "password": "correct horse"}
    )
    assert response.status_code == 403


# Names of other sites


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "192.0.2.1", "", "a b", "[::", "localhost.evil"],
)
async def test_a_name_that_leads_here_but_is_not_ours_is_refused(site: Site, host: str) -> None:
    """DNS rebinding: the page of another site would be taken for ours."""
    response = await site.client().get("/api/v1/overview", headers={"Host": host})
    assert response.status_code == 421


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1", "[::1]:8080", "LOCALHOST"])
async def test_the_names_of_this_machine_are_ours(site: Site, host: str) -> None:
    """Whatever the port: it may be forwarded."""
    assert (await site.client().get("/jobs", headers={"Host": host})).status_code == 200


def test_a_site_for_others_answers_to_its_names_and_to_addresses() -> None:
    """An address is nobody else's name."""
    names = Address.at("0.0.0.0", public_url="https://ci.example.org", allowed_hosts=("ci",))
    answers = ["ci.example.org", "ci:8080", "192.0.2.1:8080", "[2001:db8::1]", "localhost"]
    assert all(names.allows_host(host) for host in answers)
    assert not any(names.allows_host(host) for host in ("evil.example", "", "x.ci.example.org"))


@pytest.mark.parametrize(
    ("named", "asked"),
    [
        ("https://bücher.example", ["xn--bcher-kva.example", "XN--BCHER-KVA.example:443"]),
        ("https://xn--bcher-kva.example", ["xn--bcher-kva.example.", "bücher.example"]),
        ("HTTPS://CI.Example.ORG./", ["ci.example.org", "CI.EXAMPLE.ORG.", "ci.example.org:8443"]),
        ("https://straße.example", ["xn--strae-oqa.example"]),
        ("http://[2001:DB8:0:0::1]", ["[2001:db8::1]"]),
    ],
)
def test_the_public_name_is_compared_as_browsers_do(named: str, asked: list[str]) -> None:
    """Whatever letters and case it is written in, with a point at its end or without."""
    site = Address.at("127.0.0.1", public_url=named, allowed_hosts=())
    assert all(site.allows_host(host) for host in asked)
    assert not site.allows_host("bucher.example")


@pytest.mark.parametrize(
    ("allowed", "scheme", "host", "answers"),
    [
        ("ci.internal", "http", "ci.internal:8080", True),
        ("ci.internal:8080", "http", "ci.internal:8080", True),
        ("CI.internal.:8080", "http", "ci.internal:8080", True),
        ("ci.internal:8080", "http", "ci.internal", False),
        ("ci.internal:8080", "http", "ci.internal:8081", False),
        ("ci.internal:80", "http", "ci.internal", True),
        ("ci.internal:443", "https", "ci.internal", True),
        ("ci.internal:443", "http", "ci.internal", False),
        ("my_service", "http", "my_service:8080", True),
        ("MÜLLER.example", "http", "xn--mller-kva.example", True),
        ("ci.internal", "http", "x.ci.internal", False),
        ("ci.internal", "http", "ci.internal:x", False),
        ("ci.internal", "http", "user@ci.internal", False),
    ],
)
def test_one_more_name_holds_for_its_port(
    allowed: str, scheme: str, host: str, answers: bool
) -> None:
    """Or for all of them, where it names none."""
    site = Address.at("127.0.0.1", public_url=None, allowed_hosts=(allowed,))
    assert site.allows_host(host, scheme) is answers


@pytest.mark.parametrize("host", ["[::1%25lo]:8080", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]"])
def test_an_address_of_this_machine_is_one_in_all_its_spellings(host: str) -> None:
    """IPv6 has many."""
    assert Address.at("::1", public_url=None, allowed_hosts=()).allows_host(host)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("HTTPS://CI.Example.Org:443", "https://ci.example.org"),
        ("Http://ci:443", "http://ci:443"),
        ("http://[0::1]:80/x", "http://[::1]"),
    ],
)
def test_an_origin_has_one_spelling(url: str, origin: str) -> None:
    """In lower case, and without the port of its scheme (RFC 6454)."""
    assert origin_of(url) == origin


def test_the_name_of_a_machine_is_compared_in_lower_case() -> None:
    """A system may call itself anything; browsers send lower case."""
    assert host_name("Build-Box.Internal.") == "build-box.internal"


@pytest.mark.parametrize(
    ("base", "origin"),
    [
        ("http://localhost", "http://localhost:80"),
        ("http://localhost:80", "http://localhost"),
        ("http://LOCALHOST:8080", "http://localhost:8080"),
        ("http://[::1]:8080", "http://[0:0:0:0:0:0:0:1]:8080"),
        ("http://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("http://xn--bcher-kva.example", "https://XN--BCHER-KVA.example:443"),
    ],
)
async def test_our_own_pages_are_known_in_all_spellings_of_our_address(
    tmp_path: Path, base: str, origin: str
) -> None:
    """Ports that go without saying are said by some."""
    public = "https://bücher.example" if "xn--" in base else None
    settings = WebSettings(access=access(tmp_path, public_url=public, allow_anonymous=Role.ADMIN))
    async with open_site(tmp_path, settings=settings) as site:
        headers = [("Host", base.removeprefix("http://"))]
        visitor = Visitor(site.stranger("http://127.0.0.1:8080", headers=headers))
        page = await visitor.get("/")
        assert page.status_code == 200
        cookies = "; ".join(text.split(";")[0] for text in page.headers.get_list("set-cookie"))
        answers = []
        for given in (origin, "http://[::", "null", "https://evil.example", "x"):
            answer = await visitor.client.post(
                "/confirm",
                data={"csrf_token": visitor.token, "level": "none"},
                headers=[(b"Origin", given.encode()), (b"Cookie", cookies.encode())],
            )
            answers.append(answer.status_code)
        assert answers == [303, 403, 403, 403, 403]


@pytest.mark.parametrize(
    ("peer", "client", "scheme"),
    [
        ("127.0.0.1", "203.0.113.7", "https"),
        ("127.1.2.3", "203.0.113.7", "https"),
        ("::1", "203.0.113.7", "https"),
        ("::ffff:127.0.0.1", "203.0.113.7", "https"),
        ("10.3.2.1", "203.0.113.7", "https"),
        ("2001:db8::5", "203.0.113.7", "https"),
        ("192.0.2.1", "192.0.2.1", "http"),
    ],
)
async def test_a_proxy_is_believed_that_is_here_or_was_named(
    peer: str, client: str, scheme: str
) -> None:
    """Anybody else could say anything."""
    seen: list[Scope] = []

    async def look(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    proxies = believed(["10.1.2.3/8", "[2001:db8::5]"])
    behind = ProxyHeadersMiddleware(look, trusted_hosts=proxies)  # type: ignore[arg-type]
    headers = [(b"x-forwarded-for", b"1.2.3.4, 203.0.113.7"), (b"x-forwarded-proto", b"https")]
    scope = {"type": "http", "client": (peer, 1), "scheme": "http", "headers": headers}
    await behind(scope, None, None)  # type: ignore[arg-type]
    assert (seen[0]["client"][0], seen[0]["scheme"]) == (client, scheme)


# Too much, too slow, cut off


async def test_a_body_that_is_too_large_is_refused_by_its_announcement(site: Site) -> None:
    """Before any of it is read."""
    response = await site.client().post("/confirm", content=b"x" * (LARGEST_BODY + 1))
    assert response.status_code == 413
    api = await site.client().put("/api/v1/confirm", content=b"x" * (LARGEST_BODY + 1))
    assert (api.status_code, api.headers["content-type"]) == (413, "application/problem+json")


async def test_a_body_that_does_not_announce_its_size_is_cut_off(site: Site) -> None:
    """As soon as it is too large, though it has no end."""

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536

    for method, path in (("POST", "/confirm"), ("PUT", "/api/v1/confirm")):
        async with site.client() as client:
            response = await client.request(method, path, content=endless(), headers=FORM)
        assert response.status_code == 413, path


async def plain(request: Request, error: HTTPException) -> Response:
    return PlainTextResponse(error.detail, error.status_code)


async def read_all(scope: Scope, receive: Receive, send: Send) -> None:
    body = await Request(scope, receive).body()
    await PlainTextResponse(f"{len(body)}")(scope, receive, send)


async def test_a_body_that_does_not_get_on_is_given_up() -> None:
    """The rest of it never comes."""
    guarded = BugsAnswered(LimitedBodies(read_all, plain, patience=timedelta(0)), plain)
    parts: list[Message] = [{"type": "http.request", "body": b"x", "more_body": True}]
    answers: list[Message] = []

    async def receive() -> Message:
        return parts.pop() if parts else await asyncio.Future()

    async def send(message: Message) -> None:
        answers.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "query_string": b""}
    await guarded(scope, receive, send)
    assert answers[0]["status"] == 408


async def test_a_body_that_drips_is_given_up() -> None:
    """Though the sender is never silent for long: it has to get on."""
    limits = LimitedBodies(read_all, plain, patience=timedelta(seconds=0.2))
    guarded = BugsAnswered(limits, plain)
    answers: list[Message] = []

    async def drip() -> Message:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b"", "more_body": True}

    async def send(message: Message) -> None:
        answers.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "query_string": b""}
    async with asyncio.timeout(20):
        await guarded(scope, drip, send)
    assert answers[0]["status"] == 408


@asynccontextmanager
async def raw(url: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection without any manners."""
    where = httpx.URL(url)
    reader, writer = await asyncio.open_connection(where.host, where.port)
    try:
        yield reader, writer
    finally:
        writer.close()


class Hasty(PatientProtocol):
    """Has no patience at all."""

    head_seconds = 0.0


async def test_a_connection_on_which_no_request_comes_is_closed() -> None:
    """Whether nothing is sent, or a head that never ends."""
    config = uvicorn.Config(
        read_all, http=Hasty, ws="none", lifespan="off", log_config=None, port=0
    )
    config.load()
    state = uvicorn.server.ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Hasty(config, state, {}), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        for sent in (b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-Drip: "):
            async with raw(f"http://127.0.0.1:{port}") as (reader, writer):
                writer.write(sent)
                with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
                    await reader.readexactly(1)


async def test_an_idle_connection_is_kept_for_longer_than_proxies_keep_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to ten minutes; then it is closed."""
    loop = asyncio.get_running_loop()
    timers: list[tuple[float, Callable[[], object]]] = []
    call_later = loop.call_later

    def noting(delay: float, callback: Callable[..., object], *args: Any) -> asyncio.TimerHandle:
        timers.append((delay, partial(callback, *args)))
        return call_later(delay, callback, *args)

    async with running_site(lambda: current.constant(1), tmp_path / "state") as site:
        monkeypatch.setattr(loop, "call_later", noting)
        async with raw(site.url) as (reader, writer):
            for _ in range(2):
                timers.clear()
                writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200")
                length = re.search(rb"(?i)content-length: (\d+)", head)
                assert length is not None
                await reader.readexactly(int(length[1]))
            longest, close = max(timers, key=lambda timer: timer[0])
            assert longest == KEPT_SECONDS
            assert longest > timedelta(minutes=10).total_seconds()
            close()
            assert await reader.read() == b""


class Small(PatientProtocol):
    """Of a site that takes few connections."""

    most = 4


async def test_whoever_has_the_most_connections_makes_room() -> None:
    """That on which nothing has been asked for the longest; if all are at work, the newest."""
    go_on, asked = asyncio.Event(), asyncio.Semaphore(0)

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        asked.release()
        await go_on.wait()
        await read_all(scope, receive, send)

    config = uvicorn.Config(slow, http=Small, ws="none", lifespan="off", log_config=None, port=0)
    config.load()
    state = uvicorn.server.ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: Small(config, state, {}), "127.0.0.1", 0
    )
    port = server.sockets[0].getsockname()[1]

    async def connect(own: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        found = await asyncio.open_connection("127.0.0.1", port, local_addr=(own, 0))
        opened.append(found[1])
        return found

    async def ask(own: str) -> asyncio.StreamReader:
        reader, writer = await connect(own)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(20):
            await asked.acquire()
        return reader

    opened: list[asyncio.StreamWriter] = []
    async with server, asyncio.timeout(20):
        idle, _ = await connect("127.0.0.2")
        await asyncio.sleep(0)
        theirs = [await ask("127.0.0.2") for _ in range(3)]
        # Full: the first one, on which nothing was asked, goes.
        mine = await ask("127.0.0.3")
        assert await ended(idle)
        # All are at work: one more of those goes, for somebody who has fewer.
        other = await ask("127.0.0.3")
        assert await ended(theirs[0])
        # Both have as many; who comes is refused, and told so.
        refused, _ = await connect("127.0.0.2")
        assert b"503" in await refused.readuntil(b"\r\n\r\n")
        go_on.set()
        for reader in (mine, other, *theirs[1:]):
            assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
        for writer in opened:
            writer.close()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def ended(reader: asyncio.StreamReader) -> bool:
    """Wait until the other side has closed it without a word."""
    try:
        return await reader.read(1) == b""
    except ConnectionResetError:
        return True


async def test_who_takes_nothing_of_an_answer_is_given_up() -> None:
    """It would be kept for them for ever."""

    class Brisk(PatientProtocol):
        stuck_seconds = 0.0

    cut = asyncio.Event()

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        gone = asyncio.ensure_future(_gone(receive))
        while not gone.done():
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
        cut.set()

    config = uvicorn.Config(endless, http=Brisk, ws="none", lifespan="off", log_config=None, port=0)
    config.load()
    state = uvicorn.server.ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: Brisk(config, state, {}), "127.0.0.1", 0
    )
    async with server, raw(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as (_, writer):
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(20):
            await cut.wait()


async def test_patience_ends_only_where_a_request_is_not_whole() -> None:
    """An answer may take as long as it likes, and the connection serves more than one."""
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        asked.set()
        await go_on.wait()
        await read_all(scope, receive, send)

    config = uvicorn.Config(
        slow, http=PatientProtocol, ws="none", lifespan="off", log_config=None, port=0
    )
    config.load()
    state = uvicorn.server.ServerState()
    made: list[PatientProtocol] = []

    def make() -> PatientProtocol:
        made.append(PatientProtocol(config, state, {}))
        return made[-1]

    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
    async with (
        server,
        raw(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as (
            reader,
            writer,
        ),
    ):
        for _ in range(2):
            asked.clear()
            go_on.clear()
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await asked.wait()
            # As if the time had come while the answer is being made.
            made[0]._give_up()
            go_on.set()
            assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(1)


async def test_cut_connections_leave_a_site_that_answers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In the head, in the body, and in the middle of a stream; none of it is a bug to be logged."""
    async with running_site(pipeline, tmp_path) as site:
        host = httpx.URL(site.url).netloc.decode()
        beginnings = [
            "GET /jobs HT",
            f"GET /jobs HTTP/1.1\r\nHost: {host}\r\nX-Half: ",
            f"POST /confirm HTTP/1.1\r\nHost: {host}\r\nContent-Length: 100\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n\r\nlevel=no",
            f"GET /api/v1/events HTTP/1.1\r\nHost: {host}\r\n\r\n",
            "\x16\x03\x01\x00\xa5 this is TLS",
        ]
        for beginning in beginnings:
            async with raw(site.url) as (reader, writer):
                writer.write(beginning.encode("latin1"))
                await writer.drain()
                if "events" in beginning:
                    assert b"200 OK" in await reader.readline()
        async with httpx.AsyncClient(base_url=site.url) as client:
            assert (await client.get("/jobs")).status_code == 200
            assert (await client.get("/api/v1/overview")).status_code == 200
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_odd_forms_are_answered(site: Site) -> None:
    """Too many fields, no text at all, nothing."""
    visitor = site.visitor()
    await visitor.get("/jobs")
    headers = {**FORM, "X-CSRF-Token": visitor.token}
    answers = []
    for body in (b"&".join([b"job=x"] * 20_000), b"\xff\xfe", b"", b"%zz=&&;;=="):
        response = await visitor.client.post("/jobs/cancel", content=body, headers=headers)
        answers.append(response.status_code)
    assert answers == [400, 400, 303, 303]


# Ways out of the folder


@pytest.mark.parametrize(
    "id",
    [
        "../../../etc/passwd",
        "..%2f..%2fdb%2fpycurrent.db",
        "%2e%2e/%2e%2e/users",
        "2026-01-01/..%2f..%2fusers",
        "2026-01-01/x%00y",
        "%2fetc%2fpasswd",
        "a" * 5000,
        "%ff%fe",
        "2026-01-01/%0d%0aX-Injected:%20yes",
    ],
)
async def test_a_job_id_leads_nowhere_else(site: Site, id: str) -> None:
    """Neither its page, nor its log, nor what can be done about it."""
    site.add_user("alice", Role.ADMIN)
    visitor = site.visitor()
    await visitor.log_in("alice")
    for path in (f"/job/{id}", f"/api/v1/jobs/{id}", f"/api/v1/jobs/{id}/log", f"/static/{id}"):
        response = await visitor.client.get(path)
        assert response.status_code in {404, 405, 422}, path
        assert "scrypt" not in response.text
        assert "x-injected" not in response.headers
    assert (await visitor.post(f"/job/{id}/rebuild")).status_code in {404, 422}


@pytest.mark.parametrize("path", ["../app.py", "%2e%2e/app.py", "css/../../app.py", "..%5capp.py"])
async def test_files_of_the_site_are_those_in_its_folder(site: Site, path: str) -> None:
    """And no others."""
    assert (await site.client().get(f"/static/{path}")).status_code == 404
    assert (await site.client().get("/static/css/site.css")).status_code == 200


# HEAD


async def test_head_is_answered_wherever_get_is(site: Site) -> None:
    """With the same status and headers, without a body; event streams end at once."""
    job, log = site.job("reply bad"), site.job("reply risky")
    asked = [path for method, path in routes(site.app) if method == "GET"]
    asked += [path.replace("x/x", job) for path in asked if "x/x" in path]
    asked += [f"/api/v1/jobs/{log}/log/stream", "/static/css/site.css", "/api/v1/openapi.json"]
    asked += ["/nothing", "/api/v1/nothing", "/badge/reply%20good.svg"]
    assert len(asked) > 40
    client = site.client()
    for path in asked:
        async with asyncio.timeout(20):
            head = await client.head(path)
        assert head.content == b"", path
        if head.headers.get("content-type", "").startswith("text/event-stream"):
            assert head.status_code == 200
            continue
        got = await client.get(path)
        assert head.status_code == got.status_code, path
        assert head.headers.keys() == got.headers.keys(), path
    assert (await client.head(f"/api/v1/jobs/{job}/cancel")).status_code == 405


async def test_head_over_the_network(tmp_path: Path) -> None:
    """The connection serves what is asked for next."""
    async with (
        running_site(pipeline, tmp_path) as site,
        httpx.AsyncClient(base_url=site.url, timeout=20) as client,
    ):
        for path in ("/healthz", "/api/v1/events", "/api/v1/pipeline", "/readyz", "/"):
            assert (await client.head(path)).status_code == 200
            assert (await client.get("/healthz")).json() == {"status": "ok"}
        assert site.service.metrics.read().followers == 0


# Text that is no text


def nasty_pipeline() -> current.Current[Any]:
    label = f'"><img src=x onerror=alert(1)>{NASTY}'
    return current.all(
        {
            f"'{NASTY}": current.component(
                label, Reply().get, current.constant(f"bad {label} \udcff")
            )
        }
    )


async def test_whatever_jobs_say_is_text(tmp_path: Path) -> None:
    """Labels, keys, failures, logs, patterns of rules, filters in the address."""
    async with open_site(tmp_path, nasty_pipeline) as site:
        visitor = site.visitor()
        await visitor.get("/rules")
        await visitor.post("/rules", pattern=f"{NASTY}'\"", report=NASTY, score="1")
        (job,) = site.harness.jobs
        pages = ["/", "/jobs", f"/job/{job}", "/history", "/failures", "/rules", f"/?text={NASTY}"]
        pages += [f"/history?text={NASTY}&op={NASTY}", f"/login?next=/{NASTY}", f"/{NASTY}"]
        pages += [stage_url(path) for path in (NASTY, *site.harness.jobs[job].paths)]
        for path in pages:
            page = (await visitor.get(path)).text
            assert "<script>" not in page, path
            assert "<img" not in page, path


# What each answer says


async def test_every_answer_tells_the_browser_to_be_careful(locked: Site) -> None:
    """Pages, files, errors, refusals: no script from elsewhere, no frame, no guessing."""
    client = locked.client()
    answers = [
        await client.get("/login"),
        await client.get("/jobs"),
        await client.get("/static/css/site.css"),
        await client.get("/nothing"),
        await client.get("/api/v1/overview"),
        await client.get("/login", headers={"Host": "evil.example"}),
        await client.post("/logout"),
        await client.post("/confirm", content=b"x" * (LARGEST_BODY + 1)),
    ]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "server" not in answer.headers
    assert answers[0].headers["cache-control"] == "no-store"
    assert answers[2].headers["cache-control"] == "no-cache"


async def test_a_bug_is_answered_without_its_details(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """They are in the log of the engine; the headers are there as ever."""

    def broken(visit: object) -> str:
        raise RuntimeError("the password is hunter2")

    settings = WebSettings(access=access(tmp_path), pages=(AuthorPage("x", "X", broken),))
    async with open_site(tmp_path, settings=settings) as site:
        answer = await site.client().get("/page/x")
    assert answer.status_code == 500
    assert "hunter2" not in answer.text
    assert "content-security-policy" in answer.headers
    assert "hunter2" in caplog.text


async def test_a_visitor_who_may_not_look_learns_nothing(locked: Site) -> None:
    """Neither from the login page nor from errors: not even how many stages there are."""
    visitor: Visitor = locked.visitor()
    for path in ("/login", "/nothing", "/login/none/begin"):
        page = await visitor.get(path)
        assert "waiting" not in page.text
        assert "reply" not in page.text
