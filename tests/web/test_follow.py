"""Stages and items that the reader follows: one tab of the browser tells what becomes of them."""

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from .api import until
from .browser import Tabs
from .sites import RunningSite, running_site
from .writers import Writers

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOTED = """
window.noted = [];
if (location.protocol === "http:")
window.Notification = class extends EventTarget {
  static permission = localStorage.getItem("allowed") ?? "default";
  static async requestPermission() {
    Notification.permission = ANSWER;
    localStorage.setItem("allowed", ANSWER);
    return ANSWER;
  }
  constructor(title, { body, tag }) {
    super();
    window.noted.push([title, body, tag]);
    window.last = this;
  }
};
"""
"""Notifications as the browser gives them to pages, noted instead of shown: it has no desktop."""


async def opened(
    tabs: Tabs, site: RunningSite, path: str, count: int, answer: str = "granted"
) -> list[Page]:
    """So many tabs of one browser, the first one at a path; its user answers so."""
    first = await tabs.open()
    await first.context.add_init_script(NOTED.replace("ANSWER", f'"{answer}"'))
    pages = [first, *[await first.context.new_page() for _ in range(count - 1)]]
    for page in pages:
        tabs.faults.watch(page)
        await page.goto(site.url + (path if page is first else "/jobs"))
    return pages


async def noted(pages: list[Page]) -> list[list[str]]:
    """All that was told, in any of the tabs."""
    found = [await page.evaluate("window.noted") for page in pages]
    return [one for each in found for one in each]


async def until_noted(pages: list[Page], count: int) -> list[list[str]]:
    """Wait for so many notifications."""
    for _ in range(300):
        if len(found := await noted(pages)) >= count:
            return found
        await pages[0].wait_for_timeout(100)
    raise AssertionError(f"only {await noted(pages)} came")


async def follow(page: Page) -> None:
    """Press the button; from now on changes are told."""
    await page.get_by_role("button", name="Follow").click()
    await expect(page.locator("[data-follow]")).to_have_text("Following")
    await expect(page.locator("[data-follow]")).to_have_attribute("aria-pressed", "true")
    await page.locator("[data-watched]").wait_for()


HIDE = """
Object.defineProperty(document, 'hidden', {value: true, configurable: true});
document.dispatchEvent(new Event('visibilitychange'));
"""


async def test_one_of_many_tabs_tells_what_becomes_of_a_stage(tabs: Tabs, tmp_path: Path) -> None:
    """Once, with the reason, also if all of them are hidden; and once when it is good again."""
    writers = Writers(("a", "b"))
    async with running_site(writers.pipeline, tmp_path) as site:
        job = await writers.job("a")
        await writers.job("b")
        path = next(stage.path for stage in site.service.stages_with("*a", []))
        pages = await opened(tabs, site, f"/stage?path={path}", 5)
        await follow(pages[0])
        for page in pages:
            await page.evaluate(HIDE)
        writers.end("b", "of no interest")
        writers.end("a", "no space left")
        (first,) = await until_noted(pages, 1)
        assert first[0] == f"✗ {path} has failed"
        assert "no space left" in first[1]
        site.service.jobs.rebuild(job.id, by="ann")
        await writers.job("a")
        writers.end("a")
        assert (await until_noted(pages, 2))[-1][0] == f"✓ {path} is good again"
        assert len(await noted(pages)) == 2


async def test_a_click_leads_to_what_is_followed(tabs: Tabs, tmp_path: Path) -> None:
    """Whichever page the tab shows; nothing is told any more after the reader has unfollowed."""
    writers = Writers(("a", "b"))
    async with running_site(writers.pipeline, tmp_path) as site:
        await writers.job("a")
        await writers.job("b")
        paths = [stage.path for stage in site.service.stages_with(None, [])]
        path = next(path for path in paths if path.endswith("a"))
        (page,) = await opened(tabs, site, f"/stage?path={path}", 1)
        await follow(page)
        await page.goto(f"{site.url}/history")
        writers.end("a", "broken")
        await until_noted([page], 1)
        await page.evaluate("window.last.dispatchEvent(new Event('click'))")
        await page.wait_for_url("**/stage?path=*")
        await page.get_by_role("button", name="Following").click()
        await expect(page.get_by_role("button", name="Follow", exact=True)).to_be_visible()


async def test_what_has_failed_meanwhile_is_told_by_the_next_tab(
    tabs: Tabs, tmp_path: Path
) -> None:
    """There is no worker while no page of the site is open."""
    writers = Writers(("a", "b"))
    async with running_site(writers.pipeline, tmp_path) as site:
        await writers.job("a")
        path = next(stage.path for stage in site.service.stages_with("*a", []))
        (page,) = await opened(tabs, site, f"/stage?path={path}", 1)
        await follow(page)
        await page.goto("about:blank")
        await until(lambda: site.service.events.followers == 0)
        writers.end("a", "broken")
        await until(lambda: site.engine.stats.failed)
        await page.goto(f"{site.url}/help")
        assert len(await until_noted([page], 1)) == 1


async def test_one_who_does_not_allow_it_is_told_so(tabs: Tabs, tmp_path: Path) -> None:
    """Nothing is followed then, and nobody is asked before pressing the button."""
    writers = Writers(("a",))
    async with running_site(writers.pipeline, tmp_path) as site:
        await writers.job("a")
        path = next(stage.path for stage in site.service.stages_with(None, []))
        (page,) = await opened(tabs, site, f"/stage?path={path}", 1, answer="denied")
        assert await page.evaluate("localStorage.getItem('allowed')") is None
        await page.get_by_role("button", name="Follow").click()
        await expect(page.locator("[data-follow]")).to_have_text("Not allowed by the browser")
        assert await page.evaluate("Object.keys(localStorage)") == ["allowed"]
