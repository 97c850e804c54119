"""Walks of people with a question through the pages: how few clicks lead to the answer.

A click is one of the pointer, or a choice in a list; text that is typed is none.
"""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

import pycurrent as current
from pycurrent import Config, Current, Job, Level, Retry

from .api import until
from .browser import Tabs
from .sites import RunningSite, running_site

pytestmark = pytest.mark.asyncio(loop_scope="session")

COMMITS = {"main": "a1" * 20, "fix-prices": "b2" * 20}


@current.builder("check", level=Level.HARMLESS, retry=Retry(real=1, backoff=timedelta(0)))
async def check(job: Job, branch: str, rules: str) -> str:
    """Fails on a branch with the new rules, whatever is tried, with a line that says why."""
    job.write(b"checking\nsrc/prices.py:41: error: vat is not used\n1 error\n")
    if branch == "fix-prices" and rules == "strict":
        raise current.Failure("the checker exited with status 1")
    return branch


@current.publisher("release", level=Level.DANGEROUS)
async def release(job: Job, place: str, *, version: str) -> None:
    job.log(f"released {version} at {place}")


def pipeline() -> Current[Any]:
    """Branches are checked by rules that people set; versions that people set are released."""
    rules = current.Input("rules", "lenient").get()
    version = current.Input("version", "1.0").get()

    def ci(branch: Current[str]) -> Current[Any]:
        with current.labels(branch=branch, commit=branch.map(COMMITS.__getitem__)):
            return check(branch, rules)

    checked = current.constant(list(COMMITS)).list_map(ci)
    return current.all([checked, *[release(p, version=version) for p in ("north", "south")]])


class Walk:
    """Somebody who is at the site; counts the clicks."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.clicks = 0

    async def click(self, what: Locator) -> None:
        self.clicks += 1
        await what.click()

    async def link(self, name: str | re.Pattern[str], *, within: str = "body") -> None:
        await self.click(self.page.locator(within).get_by_role("link", name=name).first)

    async def button(self, name: str, *, within: str = "body") -> None:
        await self.click(self.page.locator(within).get_by_role("button", name=name).first)

    async def sees(self, *said: str, within: str = "main") -> None:
        for text in said:
            await expect(self.page.locator(within)).to_contain_text(text)

    async def leaves(self) -> None:
        """Everything fits on the screen."""
        size = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        wide, there = await self.page.evaluate(size)
        assert wide <= there


@pytest_asyncio.fixture(loop_scope="session")
async def site(tmp_path: Path) -> AsyncIterator[RunningSite]:
    """Two releases wait for a person; ada has just set rules by which a branch fails."""
    config = Config(confirm=Level.DANGEROUS)
    async with running_site(pipeline, tmp_path, config=config) as site:
        engine = site.engine
        await until(lambda: engine.stats.waiting_for_confirmation == 2)
        approve_all(site)
        await until(lambda: engine.stats.ok == 6)
        engine.set_input("rules", "strict", by="ada", reason="we have found bugs")
        await until(lambda: engine.stats.failed == 1)
        yield site


def approve_all(site: RunningSite) -> None:
    for job in [*site.service.jobs.waiting]:
        site.service.jobs.approve(job, by="cleo", reason="the plan was read")


async def walk(tabs: Tabs, site: RunningSite, path: str = "/", *, width: int = 1280) -> Walk:
    page = await tabs.open(width=width)
    await page.goto(site.url + path)
    await page.locator("main").wait_for()
    return Walk(page)


async def test_a_developer_finds_cause_and_line_by_a_commit(tabs: Tabs, site: RunningSite) -> None:
    """In two clicks from any page, the search by keys aside."""
    walk_ = await walk(tabs, site)
    await walk_.page.keyboard.press("Control+k")
    await walk_.page.keyboard.type(COMMITS["fix-prices"][:10])
    await walk_.link(f"commit={COMMITS['fix-prices']}", within="dialog")
    await walk_.sees("the checker exited with status 1", "src/prices.py:41: error: vat is not used")
    await walk_.link("src/prices.py:41: error", within="main")
    await expect(walk_.page).to_have_url(re.compile(r"/job/.*#L\d+$"))
    await expect(walk_.page.locator(".log-line.is-marked")).to_contain_text("vat is not used")
    assert walk_.clicks <= 2


async def test_who_is_on_call_sees_what_since_when_and_from_whom(
    tabs: Tabs, site: RunningSite
) -> None:
    """The header names the stage; its page tells the rest, and whether it was tried again."""
    walk_ = await walk(tabs, site, "/history")
    await walk_.sees("fix-prices/check", within="[data-live=result]")
    await walk_.link("fix-prices/check", within="[data-live=result]")
    await walk_.sees("It fails since", "rules: lenient → strict", "by ada", "tried 2 times")
    assert walk_.clicks == 1
    walk_ = await walk(tabs, site)
    await walk_.link("Failures", within="nav")
    await walk_.page.locator("select[name=by]").select_option("item")
    await walk_.button("Filter")
    await walk_.sees("new", "since", "by ada", "tried 2 times", "vat is not used")
    assert walk_.clicks == 2


async def test_who_releases_sees_what_it_is_and_approves_it(tabs: Tabs, site: RunningSite) -> None:
    """Old and new stand beside each other; then one click opens the decision, and one takes it."""
    site.engine.set_input("version", "2.0", by="ben", reason="the sale begins")
    await until(lambda: site.engine.stats.waiting_for_confirmation == 2)
    walk_ = await walk(tabs, site)
    await walk_.link("Approvals", within="nav")
    await walk_.sees("release", "1.0", "2.0", "dangerous", "version: 1.0 → 2.0", "by ben")
    await walk_.click(walk_.page.locator("main summary").first)
    await walk_.button("Approve", within="main details[open]")
    await walk_.sees("approved", within="[data-part=notice]")
    assert walk_.clicks == 3
    await until(lambda: site.engine.stats.waiting_for_confirmation == 1)


async def test_who_releases_rolls_back(tabs: Tabs, site: RunningSite) -> None:
    """By the page of the input, which has the values that it has had."""
    site.engine.set_input("version", "2.0", by="ben")
    await until(lambda: site.engine.stats.waiting_for_confirmation == 2)
    walk_ = await walk(tabs, site)
    await walk_.link("Inputs", within="nav")
    await walk_.link("Earlier values of version", within="main")
    await walk_.page.locator("select[name=which]").select_option(label="1.0")
    await walk_.button("Pin", within="main")
    await walk_.sees("version is pinned at 1.0", within="[data-part=notice]")
    assert walk_.clicks == 3
    await until(lambda: not site.engine.stats.waiting_for_confirmation)


async def test_who_releases_learns_who_has_approved(tabs: Tabs, site: RunningSite) -> None:
    """Of the last week, with the reasons, although nothing waits now."""
    walk_ = await walk(tabs, site)
    await walk_.link("History", within="nav")
    await walk_.link("Last week's approvals", within="main")
    await walk_.sees("approve", "cleo", "the plan was read")
    assert walk_.clicks == 2


async def test_two_people_decide_at_once(tabs: Tabs, site: RunningSite) -> None:
    """The second one is told that it is done; the other job still waits for a person."""
    site.engine.set_input("version", "2.0", by="ben")
    await until(lambda: site.engine.stats.waiting_for_confirmation == 2)
    ada, ben = [await walk(tabs, site, "/approvals") for _ in range(2)]
    for one in (ada, ben):
        await one.click(one.page.locator("main summary").first)
    await ada.button("Approve", within="main details[open]")
    await ada.sees("approved", within="[data-part=notice]")
    await until(lambda: site.engine.stats.waiting_for_confirmation == 1)
    await ben.button("Approve", within="main details[open]")
    await ben.sees("that can't be done", within="[data-part=notice]")
    assert site.engine.stats.waiting_for_confirmation == 1


@pytest.mark.parametrize("width", [390, 320])
async def test_a_phone_has_room_for_each_step(tabs: Tabs, site: RunningSite, width: int) -> None:
    """From the header to the line of the log, without a scroll sideways."""
    walk_ = await walk(tabs, site, width=width)
    await walk_.leaves()
    await walk_.link("fix-prices/check", within="[data-live=result]")
    await walk_.sees("It fails since", "by ada")
    await walk_.leaves()
    await walk_.link("Its job")
    await walk_.sees("vat is not used")
    await walk_.leaves()
    assert walk_.clicks == 2


async def test_keys_alone_lead_from_red_to_the_cause(tabs: Tabs, site: RunningSite) -> None:
    """The search has the focus, and each step is reached by the arrows and Enter."""
    page = (await walk(tabs, site)).page
    await page.keyboard.press("Control+k")
    await page.keyboard.type("vat is not used")
    await page.locator("dialog .found a").first.wait_for()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/job/**")
    await page.locator(".log-scroll .log-text").first.wait_for()
    await page.keyboard.press("e")
    await expect(page).to_have_url(re.compile(r"#L\d+$"))
