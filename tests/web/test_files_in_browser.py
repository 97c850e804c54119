"""Files of jobs in a real browser: documents work, and can do nothing as who looks at them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Frame, Page

import pycurrent as current
from pycurrent import Job, Level, Tree
from pycurrent.web.settings import WebSettings

from .browser import Tabs
from .saved import PNG, job, pipeline
from .sites import FOR_ALL, RunningSite, running_site

pytestmark = pytest.mark.asyncio(loop_scope="session")

REACH = """
async (url) => {
  try { const answer = await fetch(url, {credentials: "include"}); return await answer.text(); }
  catch (error) { return `${error.name}`; }
}
"""
DOCUMENT = """<!doctype html><meta charset="utf-8"><title>Report</title>
<link rel="stylesheet" href="style.css"><h1>Report</h1>
<img id="dot" src="dot.png" alt="dot"><script src="page.js"></script>
<script>document.body.dataset.inline = "ran"</script>
<form id="form" method="post" action="/confirm"><input name="level" value="none"></form>
"""
STYLE = '@font-face { font-family: own; src: url("own.ttf"); } h1 { color: rgb(0, 128, 0); }'
DRAWING = """<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>
document.documentElement.dataset.origin = self.origin;
try { document.documentElement.dataset.cookie = document.cookie; }
catch (error) { document.documentElement.dataset.cookie = error.name; }
</script></svg>"""


@current.builder("report", level=Level.HARMLESS)
async def report(job: Job, key: str) -> Tree:
    async with job.tempdir() as folder:
        (folder / "index.html").write_text(DOCUMENT)
        (folder / "style.css").write_text(STYLE)
        (folder / "page.js").write_text('document.body.dataset.script = "ran"')
        (folder / "data.json").write_text('{"found": "data"}')
        (folder / "drawing.svg").write_text(DRAWING)
        (folder / "dot.png").write_bytes(PNG)
        return await job.save(folder)


@pytest_asyncio.fixture(loop_scope="session")
async def site(tmp_path: Path) -> AsyncIterator[RunningSite]:
    def both() -> current.Current[object]:
        return current.all([report("r"), pipeline()])

    settings = WebSettings(port=0, access=FOR_ALL)
    async with running_site(both, tmp_path / "state", settings=settings) as site:
        await site.engine.settled()
        yield site


async def opened(site: RunningSite, page: Page, path: str) -> str:
    """Open a file alone, as a person does. Gives its address."""
    await page.goto(f"{site.url}/job/{job(site, 'r')}/files/1/{path}")
    await page.get_by_role("link", name="Open alone").click()
    await page.wait_for_url("**/content/**")
    return page.url


async def test_a_document_has_its_styles_pictures_and_scripts(
    site: RunningSite, page: Page, tabs: Tabs
) -> None:
    """All that is saved with it works, in the frame and alone."""
    tabs.faults.expect("own.ttf")
    tabs.faults.expect("404")
    await page.goto(f"{site.url}/job/{job(site, 'r')}/files/1/index.html")
    frame = page.frames[1]
    await check_document(frame)
    await opened(site, page, "index.html")
    await check_document(page.main_frame)


async def check_document(frame: Frame) -> None:
    await frame.wait_for_selector("body[data-script=ran][data-inline=ran]")
    colour = "getComputedStyle(document.querySelector('h1')).color"
    assert await frame.evaluate(colour) == "rgb(0, 128, 0)"
    await frame.wait_for_function("document.querySelector('#dot').naturalWidth === 1")
    fetched = "fetch('data.json').then(answer => answer.text())"
    assert await frame.evaluate(fetched) == '{"found": "data"}'


async def test_a_document_is_nobody(site: RunningSite, page: Page, tabs: Tabs) -> None:
    """It has no cookies and an origin of its own, and reads nothing else of the site, in the frame
    and alone.
    """
    for fault in ("own.ttf", "404", "Content Security Policy", "Refused", "violates"):
        tabs.faults.expect(fault)
    await page.goto(f"{site.url}/job/{job(site, 'r')}/files/1/index.html")
    cookies = await page.context.cookies()
    assert cookies, "there is something to steal"
    frame = page.frames[1]
    await frame.wait_for_selector("h1")
    await check_nobody(frame, site)
    stealing = (
        "(() => { try { return parent.document.title } catch (error) { return error.name } })()"
    )
    assert await frame.evaluate(stealing) == "SecurityError"
    await opened(site, page, "index.html")
    await check_nobody(page.main_frame, site)


async def check_nobody(frame: Frame, site: RunningSite) -> None:
    assert await frame.evaluate("self.origin") == "null"
    for secret in ("document.cookie", "localStorage.length"):
        taken = f"(() => {{ try {{ return {secret} }} catch (error) {{ return error.name }} }})()"
        assert await frame.evaluate(taken) == "SecurityError"
    for address in ("/api/v1/overview", "/", f"{site.url}/api/v1/jobs", "/badge.svg"):
        assert await frame.evaluate(REACH, address) == "TypeError", address


async def test_a_document_changes_nothing(site: RunningSite, page: Page, tabs: Tabs) -> None:
    """Its forms are not sent, nor does it post by a script; it opens no window, and does not lead
    the page that frames it elsewhere.
    """
    for fault in ("own.ttf", "404", "Content Security Policy", "Blocked", "Refused", "Unsafe"):
        tabs.faults.expect(fault)
    for fault in ("violates", "Failed to navigate", "SecurityError"):
        tabs.faults.expect(fault)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    await page.goto(f"{site.url}/job/{job(site, 'r')}/files/1/index.html")
    frame = page.frames[1]
    await frame.wait_for_selector("h1")
    await frame.evaluate("document.querySelector('#form').submit()")
    posted = "fetch('/confirm', {method: 'POST', mode: 'no-cors'}).catch(error => error.name)"
    assert await frame.evaluate(posted) == "TypeError"
    assert await frame.evaluate("window.open('/') === null")
    moved = "(() => { try { top.location = '/jobs' } catch (error) { return error.name } })()"
    assert await frame.evaluate(moved) == "SecurityError"
    assert "POST" not in sent
    assert "/files/1/index.html" in page.url


async def test_a_drawing_is_nobody(site: RunningSite, page: Page) -> None:
    """SVG runs scripts as HTML does: it gets the same sandbox."""
    await opened(site, page, "drawing.svg")
    assert await page.evaluate("document.documentElement.dataset.origin") == "null"
    assert await page.evaluate("document.documentElement.dataset.cookie") == "SecurityError"


@pytest.mark.parametrize(("dark", "width"), [(False, 1280), (True, 390)])
async def test_the_pages_fit_any_screen(
    site: RunningSite, tabs: Tabs, dark: bool, width: int
) -> None:
    """Without scripts too, nothing is beside them."""
    page = await tabs.open(width=width, dark=dark, javascript=not dark)
    for path in ("files", "files/1", "files/1/docs/guide/notes.txt", "files/1/docs/img/dot.png"):
        await page.goto(f"{site.url}/job/{job(site, 'v1')}/{path}")
        box = await page.locator("main").bounding_box()
        assert box is not None
        assert box["width"] <= width, path
