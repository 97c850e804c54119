"""No page has a fault that axe finds: in light, in the dark, on a small screen; and none has to be
scrolled sideways.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import expect

import pycurrent as current
from pycurrent import Builder, Config, Current, Job, Level
from pycurrent.web.settings import WebSettings
from pycurrent.web.users import PASSWORD_FILE, LocalUser, PasswordFile, Role

from .api import until
from .axe import require_axe, violations
from .browser import Tabs
from .sites import RunningSite, running_site
from .visits import HASH, Reply, access, reply

pytestmark = pytest.mark.asyncio(loop_scope="session")

COLOURS = "".join(
    f"\x1b[{code}mcolour {code}\x1b[0m \x1b[1;{code}mbold\x1b[0m\n"
    for first in (30, 40, 90, 100)
    for code in range(first, first + 8)
)


@dataclass(frozen=True)
class Colourful(Builder[str, str]):
    """Writes all colours, and goes on for ever."""

    id = "colourful"

    async def build(self, job: Job, key: str) -> str:
        await job.start(level=Level.HARMLESS)
        job.write(f"{COLOURS}error: none, really\n".encode())
        await asyncio.Event().wait()
        return key


@current.builder("save", level=Level.HARMLESS)
async def save(job: Job, text: str) -> current.Tree:
    """Files of each kind that a page shows."""
    async with job.tempdir() as folder:
        (folder / "in").mkdir()
        (folder / "in" / "notes.txt").write_text(f"{text}\n" * 200)
        (folder / "picture.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
        (folder / "report.html").write_text('<html lang="en"><title>x</title><main>x</main></html>')
        (folder / "data.bin").write_bytes(bytes(range(256)))
        return await job.save(folder)


def pipeline() -> Current[Any]:
    """Stages in each state, in lists."""
    busy = current.component("colourful", Colourful().get, current.constant("red"))
    after = current.component("after it", Reply().get, busy)
    names = current.constant(["x", "y", "bad z"])
    each = names.list_map(lambda name: current.component("reply to", Reply().get, name))
    saved = save("a line")
    channel = current.Input("channel", "beta").get()
    return current.all(
        [reply("good"), reply("bad"), reply("risky"), busy, after, each, saved, channel]
    )


@dataclass(frozen=True)
class Look:
    """How somebody looks at pages."""

    width: int
    dark: bool


@dataclass(frozen=True)
class View:
    """A page, and what shows that its scripts have done their work."""

    path: str
    ready: str


LOOKS = {"light": Look(1280, False), "dark": Look(1280, True), "narrow": Look(390, False)}
WIDTHS = (1100, 768, 640, 390, 320)
VIEWS = {
    "diagram": View("/", "[data-version] .box"),
    "table": View("/?view=table", "[data-version] [role=table]"),
    "failures": View("/?view=failures", "[data-version]"),
    "jobs": View("/jobs", "main table"),
    "job": View("/job/{colourful}", ".log-scroll .log-text"),
    "failed job": View("/job/{reply_bad}", ".log-scroll .log-text"),
    "compared logs": View("/job/{reply_bad}/compare", "main .empty"),
    "differing logs": View("/job/{reply_bad}/compare?with={reply_good}", "main .diff"),
    "logs side by side": View("/job/{reply_bad}/compare?with={reply_good}&view=side", ".diff"),
    "stage": View("/stage?path=reply%20bad", "main table"),
    "item": View("/items?path=bad%20z", "main table"),
    "history": View("/history", "main table"),
    "causes of failures": View("/failures", "main table"),
    "timeline": View("/timeline", "main table"),
    "search": View("/search?q=reply", "main h2"),
    "changes": View("/changes", "main table"),
    "change": View("/changes/1", "main h1"),
    "audit": View("/audit", "main form"),
    "failures by item": View("/failures?by=item", "main table"),
    "approvals": View("/approvals", "main summary"),
    "rules": View("/rules", "main form"),
    "pools": View("/pools", "main h1"),
    "inputs": View("/inputs", "main form"),
    "stage that is an input": View("/stage?path=channel", "main form"),
    "pauses": View("/pauses", "main form"),
    "mutes": View("/mutes", "main form"),
    "help": View("/help", "main table"),
    "retention": View("/retention", "main ol"),
    "next removal": View("/retention/next", "main table"),
    "files of a job": View("/job/{saved}/files", "main table"),
    "folder": View("/job/{saved}/files/1", "main table"),
    "text": View("/job/{saved}/files/1/in/notes.txt", "main pre"),
    "picture": View("/job/{saved}/files/1/picture.svg", "main .card"),
    "document": View("/job/{saved}/files/1/report.html", "main iframe"),
    "file that can't be shown": View("/job/{saved}/files/1/data.bin", "main .empty"),
    "login": View("/login", "main input[name=password]"),
    "error": View("/nothing", "main h1"),
}


async def path_of(site: RunningSite, view: View) -> str:
    """With the ids of the jobs, by the labels of their stages; `saved` has saved files."""
    nodes = (await site.service.pipeline.snapshot()).graph.nodes
    ids = {node.label.replace(" ", "_"): node.job_id for node in nodes}
    (saved,) = site.engine.history(op="save")
    return view.path.format(**ids, saved=saved.job_id)


@pytest_asyncio.fixture(loop_scope="session")
async def site(tmp_path: Path) -> AsyncIterator[RunningSite]:
    settings = WebSettings(port=0, access=access(tmp_path, allow_anonymous=Role.ADMIN))
    config = Config(confirm=Level.DANGEROUS, keep=[current.keep(of="log", last=0), current.keep()])
    async with running_site(pipeline, tmp_path, settings=settings, config=config) as running:
        await until(lambda: running.engine.stats.failed and running.engine.stats.running)
        await until(lambda: running.engine.history(op="save"))
        yield running


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("view", VIEWS)
async def test_a_page_has_no_fault_that_axe_finds(
    site: RunningSite, tabs: Tabs, view: str, look: str
) -> None:
    """Names, roles, contrast, headings, landmarks and whatever else a program can see."""
    axe = require_axe()
    if view == "login":
        PasswordFile(site.service.state_dir() / PASSWORD_FILE).put(
            LocalUser("ann", Role.VIEWER, HASH)
        )
    page = await tabs.open(width=LOOKS[look].width, dark=LOOKS[look].dark)
    tabs.faults.expect("404")
    await page.goto(site.url + await path_of(site, VIEWS[view]))
    await page.locator(VIEWS[view].ready).first.wait_for()
    assert await violations(page, axe) == []
    # Nothing of what a fold holds is in that.
    await page.evaluate("() => document.querySelectorAll('details').forEach(f => f.open = true)")
    assert await violations(page, axe) == []


@pytest.mark.parametrize("width", [1280, 1024, 960, 720, 390, 320])
async def test_the_header_takes_two_lines(site: RunningSite, tabs: Tabs, width: int) -> None:
    """With most states there are. It tells the place that has failed."""
    page = await tabs.open(width=width, height=640)
    await page.goto(f"{site.url}/jobs")
    area = await page.locator("header").bounding_box()
    assert area is not None
    assert area["height"] < 16 * 6.5
    place = page.locator("[data-headline] .place")
    await expect(place.locator("a")).to_be_in_viewport()
    if width > 700:
        assert await place.evaluate("(place) => place.scrollWidth - place.clientWidth") == 0
    for count in await page.locator("[data-live=counts] li:not(.zero)").all():
        await expect(count.locator("b")).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("path", ["/jobs", "/history", "/failures", "/audit", "/changes"])
async def test_a_phone_folds_the_filters_of_a_list(
    site: RunningSite, tabs: Tabs, path: str
) -> None:
    """Its first screen shows what it lists; a wider one shows the fields."""
    page = await tabs.open(width=390, height=640)
    await page.goto(f"{site.url}{path}?path=reply*&who=ann")
    form = page.get_by_role("search")
    fold, button = form.locator("summary"), form.get_by_role("button", name="Filter")
    await expect(fold).to_contain_text("ann" if path in ("/history", "/audit") else "reply*")
    await expect(button).to_be_hidden()
    area = await form.bounding_box()
    assert area is not None
    assert area["height"] < 100
    await fold.click()
    await expect(button).to_be_visible()
    await fold.click()
    await page.set_viewport_size({"width": 1280, "height": 640})
    await expect(button).to_be_visible()
    await expect(fold).to_be_hidden()


@pytest.mark.parametrize("look", LOOKS)
async def test_the_search_over_a_page_has_no_fault_that_axe_finds(
    site: RunningSite, tabs: Tabs, look: str
) -> None:
    """With matches of each kind, and none; nor does it have to be scrolled sideways."""
    axe = require_axe()
    page = await tabs.open(width=LOOKS[look].width, dark=LOOKS[look].dark)
    await page.goto(f"{site.url}/jobs")
    for text in ("reply", "no such thing"):
        await page.keyboard.press("Control+k")
        await page.keyboard.type(text)
        ready = "Nothing holds" if text.startswith("no") else "Stages"
        await page.locator("dialog .finder-matches", has_text=ready).wait_for()
        assert await violations(page, axe) == []
        wide = await page.evaluate("() => document.querySelector('dialog').scrollWidth")
        assert wide <= LOOKS[look].width


@pytest.mark.parametrize("view", VIEWS)
async def test_no_page_has_to_be_scrolled_sideways(
    site: RunningSite, tabs: Tabs, view: str
) -> None:
    """From 320 px on, which is what is left of 1280 px at 400 % (WCAG 2.2, 1.4.10)."""
    if view == "login":
        PasswordFile(site.service.state_dir() / PASSWORD_FILE).put(
            LocalUser("ann", Role.VIEWER, HASH)
        )
    page = await tabs.open()
    tabs.faults.expect("404")
    await page.goto(site.url + await path_of(site, VIEWS[view]))
    await page.locator(VIEWS[view].ready).first.wait_for()
    for width in WIDTHS:
        await page.set_viewport_size({"width": width, "height": 800})
        wide = await page.evaluate("() => document.documentElement.scrollWidth")
        assert wide <= width
