"""Logins at GitHub, which is no OpenID provider."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from aiohttp import web

from pycurrent.plugins import github
from pycurrent.service.login import LoginRefused, Role, User
from pycurrent.testing import VirtualClock

from ..github.described import judge

CALLBACK = "https://ci.example.org/login/github/callback"


class GitHub:
    """What GitHub knows of Ann, and how it lets in whom she has sent."""

    def __init__(self) -> None:
        self.url = ""
        self.orgs = ["octo"]
        self.teams = ["octo/deployers"]
        self.asked: list[str] = []
        self.challenge = ""
        self.status = 200
        self.judge = judge()

    async def authorize(self, request: web.Request) -> web.Response:
        self.challenge = request.query["code_challenge"]
        back = f"{request.query['redirect_uri']}?code=c0de&state={request.query['state']}"
        raise web.HTTPFound(back)

    async def token(self, request: web.Request) -> web.Response:
        sent = await request.post()
        proof = hashlib.sha256(str(sent["code_verifier"]).encode()).digest()
        basic = request.headers.get("Authorization", "")
        assert base64.b64decode(basic.removeprefix("Basic ")) == b"our-client:our-secret"
        if base64.urlsafe_b64encode(proof).decode().rstrip("=") != self.challenge:
            # GitHub says so with the status 200.
            return web.json_response({"error": "bad_verification_code"})
        return web.json_response({"access_token": "gho_token", "token_type": "bearer"})

    async def api(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer gho_token"
        self.asked.append(request.path.removeprefix("/api/v3"))
        if self.status != 200:
            return web.json_response({"message": "Bad credentials"}, status=self.status)
        page = int(request.query.get("page", "1"))
        here = slice((page - 1) * 100, page * 100)
        told: Any = {"login": "Ann", "name": None}
        if request.path.endswith("/orgs"):
            told = [{"login": name} for name in self.orgs[here]]
        elif request.path.endswith("/teams"):
            pairs = [name.split("/") for name in self.teams[here]]
            told = [{"slug": team, "organization": {"login": org}} for org, team in pairs]
        return web.json_response(told)


@pytest.fixture
async def site(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[GitHub]:
    """An Enterprise server."""
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    site = GitHub()
    app = web.Application(middlewares=[site.judge.middle])
    app.router.add_get("/login/oauth/authorize", site.authorize)
    app.router.add_post("/login/oauth/access_token", site.token)
    for path in ("user", "user/orgs", "user/teams"):
        app.router.add_get(f"/api/v3/{path}", site.api)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    site.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield site
    await runner.cleanup()
    site.judge.end()


def login_at(site: GitHub, roles: dict[str, Role]) -> github.Login:
    return github.Login("our-client", "our-secret", roles=roles, url=site.url, clock=VirtualClock())


async def logged_in(login: github.Login, site: GitHub) -> User | LoginRefused:
    import httpx

    address = await login.address(state="s", callback=CALLBACK)
    assert isinstance(address, str)
    async with httpx.AsyncClient() as browser:
        back = (await browser.get(address)).headers["location"]
    query = dict(parse_qsl(urlsplit(back).query))
    return await login.finish(query, state="s", callback=CALLBACK)


async def test_people_have_roles_as_themselves_by_organisation_and_by_team(site: GitHub) -> None:
    """On whatever page it is told; only what is needed is asked for."""
    site.orgs = [*(f"org{number}" for number in range(100)), "Octo"]
    site.teams = [*(f"octo/team{number}" for number in range(250)), "octo/deployers"]
    ann = "github:Ann"
    assert await logged_in(login_at(site, {"user:ann": Role.ADMIN}), site) == User(
        ann, "Ann", Role.ADMIN
    )
    assert site.asked == ["/user"]
    by_org = login_at(site, {"org:octo": Role.VIEWER})
    assert await logged_in(by_org, site) == User(ann, "Ann", Role.VIEWER)
    by_team = login_at(site, {"team:octo/deployers": Role.BUILDER})
    assert await logged_in(by_team, site) == User(ann, "Ann", Role.BUILDER)
    nobody = await logged_in(login_at(site, {"team:octo/owners": Role.ADMIN}), site)
    assert isinstance(nobody, LoginRefused)


async def test_what_is_asked_for_is_no_more_than_needed(site: GitHub) -> None:
    """Organisations take a scope, people none."""
    for roles, scope in (({"user:ann": Role.ADMIN}, None), ({"org:octo": Role.ADMIN}, "read:org")):
        address = await login_at(site, roles).address(state="s", callback=CALLBACK)
        assert dict(parse_qsl(urlsplit(str(address)).query)).get("scope") == scope


async def test_a_code_that_somebody_else_was_given_is_refused(site: GitHub) -> None:
    """GitHub says so with a friendly status."""
    login = login_at(site, {"user:ann": Role.ADMIN})
    await login.address(state="s", callback=CALLBACK)
    site.challenge = "another"
    refused = await login.finish({"code": "c0de"}, state="s", callback=CALLBACK)
    assert refused == LoginRefused("GitHub has refused this login: log in again")


@pytest.mark.parametrize("status", [401, 500])
async def test_a_token_that_github_does_not_take_lets_nobody_in(site: GitHub, status: int) -> None:
    """Nor does a GitHub that is out of order."""
    site.status = status
    assert isinstance(await logged_in(login_at(site, {"user:ann": Role.ADMIN}), site), LoginRefused)
