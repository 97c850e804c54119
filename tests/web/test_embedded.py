"""The site of an engine in a program of one's own."""

from pathlib import Path

import httpx
import pytest

import pycurrent as current
from pycurrent import Engine, PycurrentError, Site, UsageError
from pycurrent.engine.site_links import SiteLinks
from pycurrent.service.login import Role
from pycurrent.service.routes import Route, RouteAnswer, RouteRequest
from pycurrent.web import AccessSettings, WebSettings

from .visits import Site as Visited
from .visits import access, open_site

ANY = WebSettings(port=0)


def pipeline() -> current.Current[int]:
    return current.constant(1)


async def steps(request: RouteRequest) -> RouteAnswer:
    return RouteAnswer.text(str(request.engine.steps))


async def test_a_site_beside_an_engine(tmp_path: Path) -> None:
    """It is served while the block lasts; its owner gets in as with `pycurrent run`."""
    route = Route("GET", "/steps", steps, role=Role.VIEWER)
    settings = WebSettings(port=0, routes=[route])
    engine = Engine(pipeline, state_dir=tmp_path)
    async with httpx.AsyncClient(follow_redirects=True) as client:
        async with engine, Site(engine, settings) as site:
            assert (await client.get(f"{site.url}/steps")).status_code == 401
            assert (await client.get(site.way_in)).status_code == 200
            assert (await client.get(f"{site.url}/steps")).text == str(engine.steps)
            assert (tmp_path / "address").read_text().strip() == site.url
        with pytest.raises(httpx.ConnectError):
            await client.get(site.url)
    assert engine.opened.is_closed


async def test_users_of_the_state_directory_log_in(tmp_path: Path) -> None:
    """As with `pycurrent run`: then the token has lost its power."""
    async with open_site(tmp_path) as earlier:
        visited: Visited = earlier
        visited.add_user("alice", Role.ADMIN)
    async with Engine(pipeline, state_dir=tmp_path) as engine, Site(engine, ANY) as site:
        assert site.way_in == site.url
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"{site.url}/", headers={"Accept": "text/html"})
            assert answer.headers["location"].startswith("/login")


async def test_sites_that_can_not_be(tmp_path: Path) -> None:
    """Each is refused with what to do, and leaves the engine and the port alone."""
    engine = Engine(pipeline, state_dir=tmp_path)
    site = Site(engine, ANY)
    with pytest.raises(PycurrentError, match="the engine is not open"):
        await site.__aenter__()
    with pytest.raises(PycurrentError, match="not served"):
        _ = site.url
    async with engine:
        for settings, message in (
            (WebSettings(port=0, host="0.0.0.0"), "nobody could log in"),
            (WebSettings(routes=[Route("GET", "/api/x", steps)]), "the site's own"),
        ):
            with pytest.raises(UsageError, match=message):
                await Site(engine, settings).__aenter__()
        async with site as served:
            port = int(served.url.rpartition(":")[2])
            with pytest.raises(UsageError, match="is taken"):
                await Site(engine, WebSettings(port=port)).__aenter__()
        with pytest.raises(PycurrentError, match="served once"):
            await site.__aenter__()
    with pytest.raises(PycurrentError, match="the engine has ended"):
        await Site(engine, ANY).__aenter__()
    with pytest.raises(UsageError, match="expected an Engine"):
        Site(pipeline)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="expected WebSettings"):
        Site(engine, AccessSettings())  # type: ignore[arg-type]


async def test_the_public_address(tmp_path: Path) -> None:
    """It is what others reach."""
    settings = WebSettings(
        port=0,
        access=access(tmp_path, public_url="https://ci.example.org", allow_anonymous=Role.VIEWER),
    )
    async with Engine(pipeline, state_dir=tmp_path) as engine, Site(engine, settings) as site:
        assert site.url == site.way_in == "https://ci.example.org"
        log = engine.service(SiteLinks).job("2026-11-27/120000-test-a1b2c3", line=7)
        assert log == f"{site.url}/job/2026-11-27/120000-test-a1b2c3#L7"
