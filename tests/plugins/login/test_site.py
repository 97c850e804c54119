"""People log in at another site, and are in ours."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from pycurrent import constant
from pycurrent.engine import SystemClock
from pycurrent.plugins.login import OpenID
from pycurrent.plugins.login.oauth import RECHECK
from pycurrent.service.login import Role
from pycurrent.testing import VirtualClock
from pycurrent.web import AccessSettings, WebSettings

from ...web.sites import RunningSite, running_site
from .provider import Provider


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """A provider that knows Ann."""
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    provider = Provider()
    provider.start()
    provider.tell(user={"sub": "1", "preferred_username": "ann", "name": "Ann"})
    yield provider
    provider.stop()


async def log_in(browser: httpx.AsyncClient, site: RunningSite) -> httpx.Response:
    """Follow all redirects, as a browser does."""
    return await browser.get(f"{site.url}/login/openid/begin?next=/history", follow_redirects=True)


async def test_somebody_logs_in_and_is_out_again_when_access_ends(
    provider: Provider, tmp_path: Path
) -> None:
    """In a session of the site."""
    clock = VirtualClock(SystemClock().now())
    login = OpenID(
        provider.url, "our-client", "our-secret", roles={"user:ann": Role.VIEWER}, clock=clock
    )
    settings = WebSettings(port=0, access=AccessSettings(providers=(login,)))
    async with (
        running_site(lambda: constant(1), tmp_path, settings=settings) as site,
        httpx.AsyncClient() as browser,
    ):
        assert "Log in with OpenID" in (await browser.get(f"{site.url}/login")).text
        page = await log_in(browser, site)
        assert page.url.path == "/history"
        assert "openid:ann" in page.text
        provider.tell(status=401)
        clock.move(RECHECK)
        await asyncio.sleep(0)  # calls that are due are made
        await login.settled()
        assert (await browser.get(f"{site.url}/history")).headers["location"].startswith("/login")


async def test_a_provider_that_does_not_answer_is_told_on_the_page(
    provider: Provider, tmp_path: Path
) -> None:
    """Where people log in."""
    login = OpenID(provider.url, "our-client", "our-secret", roles={"anybody": Role.VIEWER})
    provider.stop()
    settings = WebSettings(port=0, access=AccessSettings(providers=(login,)))
    async with (
        running_site(lambda: constant(1), tmp_path, settings=settings) as site,
        httpx.AsyncClient() as browser,
    ):
        page = await log_in(browser, site)
        assert page.status_code == 503
        assert "reached now: try again later" in page.text
