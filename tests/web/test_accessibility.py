"""No page has a fault that axe finds: in light, in the dark, on a small screen."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

import pycurrent as current
from pycurrent import Builder, Current, Job, Level
from pycurrent.web.settings import WebSettings
from pycurrent.web.users import PASSWORD_FILE, LocalUser, PasswordFile, Role

from .api import until
from .axe import require_axe, violations
from .browser import Tabs
from .sites import RunningSite, running_site
from .visits import HASH, Reply, access, confirm_dangerous, reply

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


def pipeline() -> Current[Any]:
    """Stages in each state, in lists."""
    busy = current.component("colourful", Colourful().get, current.constant("red"))
    after = current.component("after it", Reply().get, busy)
    names = current.constant(["x", "y", "bad z"])
    each = names.list_map(lambda name: current.component("reply to", Reply().get, name))
    return current.all([reply("good"), reply("bad"), reply("risky"), busy, after, each])


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
VIEWS = {
    "diagram": View("/", "[data-version] .box"),
    "table": View("/?view=table", "[data-version] [role=table]"),
    "failures": View("/?view=failures", "[data-version]"),
    "jobs": View("/jobs", "main table"),
    "job": View("/job/{colourful}", ".log-scroll .log-text"),
    "failed job": View("/job/{reply_bad}", ".log-scroll .log-text"),
    "stage": View("/stage?path=reply%20bad", "main table"),
    "history": View("/history", "main table"),
    "causes of failures": View("/failures", "main table"),
    "rules": View("/rules", "main form"),
    "pauses": View("/pauses", "main form"),
    "mutes": View("/mutes", "main form"),
    "login": View("/login", "main input[name=password]"),
    "error": View("/nothing", "main h1"),
}


async def path_of(site: RunningSite, view: View) -> str:
    """With the ids of the jobs, by the labels of their stages."""
    nodes = (await site.service.pipeline.snapshot()).graph.nodes
    return view.path.format(**{node.label.replace(" ", "_"): node.job_id for node in nodes})


@pytest_asyncio.fixture(loop_scope="session")
async def site(tmp_path: Path) -> AsyncIterator[RunningSite]:
    settings = WebSettings(port=0, access=access(tmp_path, allow_anonymous=Role.ADMIN))
    config = confirm_dangerous()
    async with running_site(pipeline, tmp_path, settings=settings, config=config) as running:
        await until(lambda: running.engine.stats.failed and running.engine.stats.running)
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
