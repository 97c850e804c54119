"""The pages of the files that jobs have saved, and the addresses at which browsers show them."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from html import unescape
from pathlib import Path

import httpx
import pytest

import pycurrent as current
from pycurrent.service.login import Role
from pycurrent.web.settings import AccessSettings, WebSettings

from .saved import FILES, NASTY, docs, job, lose, saved_site, wheel
from .sites import RunningSite
from .visits import open_site


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[RunningSite]:
    async with saved_site(tmp_path / "state") as site:
        yield site


@pytest.fixture
async def http(site: RunningSite) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=site.url, timeout=60) as client:
        yield client


async def page(http: httpx.AsyncClient, path: str) -> str:
    answer = await http.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


def content_of(page: str) -> str:
    """The address of the file that a page shows."""
    found = re.search(r'"(/content/[^"]+)"', page)
    assert found is not None
    return unescape(found[1])


async def test_the_page_of_a_job_has_its_files(site: RunningSite, http: httpx.AsyncClient) -> None:
    """With sizes and downloads; nothing of that for a job that has saved none."""
    text = await page(http, f"/job/{job(site, 'v1')}")
    assert "docs/**" in text
    assert "11 files" in text
    for end in ("tar.gz", "zip"):
        found = re.search(rf'href="(/api/v1/jobs/[^"]+form={end})"', text)
        assert found is not None
        assert (await http.get(found[1])).status_code == 200
    assert "<h2>Files</h2>" not in await page(http, f"/job/{job(site, 'q')}")
    assert "shop.whl" in await page(http, f"/job/{job(site, 'shop')}/files")
    assert "has saved no files" in await page(http, f"/job/{job(site, 'q')}/files")


async def test_all_folders_and_files_are_reached_by_links(
    site: RunningSite, http: httpx.AsyncClient
) -> None:
    """Each leads to a page, whatever its name is, and back up."""
    top = f"/job/{job(site, 'v1')}/files/1"
    seen, todo = set[str](), [top]
    while todo:
        at = todo.pop()
        text = await page(http, at)
        for found in re.findall(r'href="(/job/[^"]+/files/[^"]+)"', text):
            address = unescape(found)
            if address not in seen:
                seen.add(address)
                todo.append(address)
    digest = next(iter(seen)).split("/")[5]
    begin = f"/job/{job(site, 'v1')}/files/{digest}/"
    reached = {address.removeprefix(begin) for address in seen}
    odd = "docs/a%20b%252Fc%3F.txt"
    assert {*FILES, "docs", "docs/guide", "docs/empty", "docs/latest.txt", odd, ""} - reached == {
        "docs/a b%2Fc?.txt"
    }


async def test_a_large_folder_comes_in_pages(tmp_path: Path) -> None:
    """500 entries at once."""
    async with (
        open_site(tmp_path, lambda: docs("600"), settings=ANYBODY) as site,
        site.client() as http,
    ):
        found = site.harness.find("docs 600").id
        first = await page(http, f"/job/{found}/files/1/docs")
        assert "1 to 500 of 610" in first
        last = await page(http, f"/job/{found}/files/1/docs?skip=500")
        assert "501 to 610 of 610" in last
        assert "The next ones" not in last


async def test_texts_are_shown_as_text(site: RunningSite, http: httpx.AsyncClient) -> None:
    """Without control sequences, never as markup; and a part of a large one."""
    text = await page(http, f"/job/{job(site, 'v1')}/files/1/docs/latest.txt")
    assert "first line\n&lt;script&gt;alert(1)" in text
    assert NASTY not in text
    assert "\nred\n" in text
    binary = await page(http, f"/job/{job(site, 'v1')}/files/1/docs/data.bin")
    assert "can't be shown here" in unescape(binary)


async def test_pictures_and_documents_have_an_address_of_their_own(
    site: RunningSite, http: httpx.AsyncClient
) -> None:
    """Documents, and drawings, are in a frame with a sandbox, and are sent as one."""
    place = f"/job/{job(site, 'v1')}/files/1/docs"
    picture = await http.get(content_of(await page(http, f"{place}/img/dot.png")))
    assert (picture.headers["content-type"], picture.status_code) == ("image/png", 200)
    for name, kind in (
        ("index.html", "text/html; charset=utf-8"),
        ("drawing.svg", "image/svg+xml"),
    ):
        shown = await http.get(f"{place}/{name}")
        assert '<iframe class="document" sandbox="allow-scripts"' in shown.text
        assert "frame-src 'self'" in shown.headers["content-security-policy"]
        answer = await http.get(content_of(shown.text))
        assert answer.headers["content-type"] == kind
        policy = answer.headers["content-security-policy"].split("; ")
        assert policy[:2] == ["sandbox allow-scripts", "default-src 'none'"]
        assert "'self'" not in " ".join(policy[2:-1])
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "content-disposition" not in answer.headers
    unknown = await http.get(
        content_of(await page(http, f"{place}/img/dot.png")).replace("img/dot.png", "data.bin")
    )
    assert unknown.headers["content-type"] == "application/octet-stream"
    assert unknown.headers["content-disposition"].startswith("attachment")


async def test_a_folder_of_documents_is_its_index(
    site: RunningSite, http: httpx.AsyncClient
) -> None:
    """At an address that ends with a slash, as the links in it expect."""
    index = content_of(await page(http, f"/job/{job(site, 'v1')}/files/1/docs"))
    folder = index.removesuffix("index.html")
    assert (await http.get(folder)).content == FILES["docs/index.html"]
    moved = await http.get(folder.rstrip("/"))
    assert (moved.status_code, moved.headers["location"]) == (302, folder)
    assert (await http.get(f"{folder}guide/")).status_code == 404


ANYBODY = WebSettings(access=AccessSettings(allow_anonymous=Role.VIEWER))


async def test_an_address_opens_one_tree_for_some_time(tmp_path: Path) -> None:
    """Nobody can make one up; later it leads to the page, which asks who one is."""
    both = lambda: current.all([docs("v1"), wheel("shop")])  # noqa: E731
    async with open_site(tmp_path, both) as site, site.client() as owner, site.stranger() as other:
        ids = {name: site.harness.find(name).id for name in ("docs v1", "wheel shop")}
        at = f"/job/{ids['docs v1']}/files/1/docs/style.css"
        address = content_of((await owner.get(at)).text)
        assert (await other.get(address)).content == FILES["docs/style.css"]
        assert (await other.get(at)).status_code == 401
        parts = address.split("/")
        for changed, place in (("9", 2), ("x", 3), ("0" * 64, 5)):
            made_up = [
                *parts[:place],
                f"{changed}{parts[place][len(changed) :]}",
                *parts[place + 1 :],
            ]
            assert (await other.get("/".join(made_up))).status_code == 404
        elsewhere = address.replace(ids["docs v1"], ids["wheel shop"])
        assert (await other.get(elsewhere)).status_code == 404
        await site.harness.advance(timedelta(hours=25))
        late = await other.get(address)
        assert late.status_code == 302
        assert (await owner.get(late.headers["location"])).status_code == 200
        fresh = content_of((await owner.get(late.headers["location"])).text)
        assert (await other.get(fresh)).status_code == 200


async def test_files_that_are_gone_are_said_to_be(
    site: RunningSite, http: httpx.AsyncClient
) -> None:
    """In the list of their folder, and on their own page."""
    lose(site, FILES["docs/style.css"])
    place = f"/job/{job(site, 'v1')}/files/1/docs"
    assert "missing from the store" in await page(http, place)
    gone = await http.get(f"{place}/style.css")
    assert gone.status_code == 410
    assert "it is made again when a job needs it" in gone.text
    for path in (site.engine.opened.state.files / "objects").rglob("*/*"):
        path.unlink()
    assert "missing from the store" in await page(http, f"/job/{job(site, 'shop')}")


async def test_a_link_leads_to_the_newest_good_file(
    site: RunningSite, http: httpx.AsyncClient
) -> None:
    """Asked for again each time; a folder is its index, or else its list."""
    for path, end in (
        ("docs%20v1/docs/index.html", "/docs/index.html"),
        ("docs%20v1/docs/", "/docs/"),
        ("docs%20v1/docs", "/docs/"),
        ("docs/style.css?label=branch=main&label=repo=shop", "/docs/style.css"),
        ("docs/guide/start.html?stage=docs%20v1", "/docs/guide/start.html"),
        ("shop.whl?label=branch=main", "/shop.whl"),
    ):
        answer = await http.get(f"/files/{path}")
        assert answer.status_code == 302, answer.text
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["location"].startswith("/content/")
        assert answer.headers["location"].endswith(end)
        assert (await http.get(answer.headers["location"])).status_code == 200
    listed = await http.get("/files/docs%20v1/docs/guide")
    assert listed.headers["location"].startswith("/job/")
    assert (await http.get(listed.headers["location"])).status_code == 200
    for path, status in (
        ("docs%20v1/docs/nope", 404),
        ("nope/index.html", 404),
        ("docs/style.css?labels=x", 422),
        ("docs/style.css?label=x", 422),
        (f"{'x/' * 3000}", 414),
    ):
        assert (await http.get(f"/files/{path}")).status_code == status, path


async def test_links_ask_who_one_is(tmp_path: Path) -> None:
    """As the pages do."""
    async with open_site(tmp_path, lambda: docs("v1")) as site, site.stranger() as other:
        assert (await other.get("/files/docs%20v1/docs/index.html")).status_code == 401
