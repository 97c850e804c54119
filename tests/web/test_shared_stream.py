"""All tabs of a browser share one stream of events, so that none hangs at the sixth."""

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from .api import until
from .browser import Tabs
from .sites import RunningSite, running_site
from .writers import Writers

pytestmark = pytest.mark.asyncio(loop_scope="session")

TABS = 12


async def active(page: Page, number: int) -> None:
    """The head of the page says how many jobs have not ended."""
    await expect(page.locator("[data-live=active-jobs]")).to_have_text(str(number))


async def opened(tabs: Tabs, site: RunningSite, count: int) -> list[Page]:
    """So many tabs of one browser."""
    first = await tabs.open()
    pages = [first, *[await first.context.new_page() for _ in range(count - 1)]]
    for page in pages:
        tabs.faults.watch(page)
        await page.goto(f"{site.url}/jobs")
    return pages


async def test_many_tabs_of_one_browser_are_live(tabs: Tabs, tmp_path: Path) -> None:
    """Each is told of a change at once, by one stream; it ends with the last tab."""
    writers = Writers(("a", "b"))
    async with running_site(writers.pipeline, tmp_path) as site:
        for key in "ab":
            await writers.job(key)
        pages = await opened(tabs, site, TABS)
        await until(lambda: site.service.events.followers == 1)
        writers.end("a")
        for page in pages:
            await active(page, 1)
        assert site.service.events.followers == 1
        for page in pages[1:]:
            await page.close()
        writers.end("b")
        await active(pages[0], 0)
        await pages[0].goto("about:blank")
        await until(lambda: site.service.events.followers == 0)


async def test_a_tab_that_comes_later_misses_nothing(tabs: Tabs, tmp_path: Path) -> None:
    """The events since what it shows are sent to it again, also after it was hidden."""
    writers = Writers(("a", "b", "c"))
    async with running_site(writers.pipeline, tmp_path) as site:
        for key in "abc":
            await writers.job(key)
        first, second = await opened(tabs, site, 2)
        await active(second, 3)
        hide = "Object.defineProperty(document, 'hidden', {value: HIDDEN, configurable: true});"
        tell = "document.dispatchEvent(new Event('visibilitychange'))"
        for key, left in (("a", 2), ("b", 1)):
            await second.evaluate(hide.replace("HIDDEN", "true") + tell)
            writers.end(key)
            await active(first, left)
            await second.evaluate(hide.replace("HIDDEN", "false") + tell)
            await active(second, left)
        assert site.service.events.followers == 1


async def test_a_browser_without_shared_workers_has_a_stream_for_each_tab(
    tabs: Tabs, tmp_path: Path
) -> None:
    """As long as a tab is visible."""
    writers = Writers(("a", "b"))
    async with running_site(writers.pipeline, tmp_path) as site:
        for key in "ab":
            await writers.job(key)
        page = await tabs.open()
        await page.add_init_script("delete window.SharedWorker")
        await page.goto(f"{site.url}/jobs")
        await active(page, 2)
        writers.end("a")
        await active(page, 1)
