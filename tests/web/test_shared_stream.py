"""All tabs of a browser share one stream of events, so that none hangs at the sixth."""

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from .api import until
from .browser import Tabs
from .sites import RunningSite, running_site
from .writers import Writers, job_of

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


async def test_many_tabs_with_logs_that_grow_are_live(tabs: Tabs, tmp_path: Path) -> None:
    """More than a browser has connections: each log goes on, and so do the other pages, and one
    more page opens.
    """
    keys = tuple(f"job{number}" for number in range(TABS))
    writers = Writers(keys)
    async with running_site(writers.pipeline, tmp_path) as site:
        jobs = [await writers.job(key) for key in keys]
        overview, *others = await opened(tabs, site, 3)
        logs = [await overview.context.new_page() for _ in keys]
        for key, page in zip(keys, logs, strict=True):
            tabs.faults.watch(page)
            await page.goto(f"{site.url}/job/{job_of(site, key)}")
            await expect(page.locator(".log-status")).to_contain_text("live")
        for turn in ("first", "second"):
            for job in jobs:
                job.write(f"{turn} of {job.description}\n")
            for job, page in zip(jobs, logs, strict=True):
                line = page.locator(".log-text", has_text=f"{turn} of {job.description}")
                await expect(line).to_have_count(1)
        writers.end(keys[0])
        for page in (overview, *others, *logs):
            await active(page, TABS - 1)
        await expect(logs[0].locator(".log-status")).not_to_contain_text("live")
        await logs[0].goto(f"{site.url}/jobs")
        await active(logs[0], TABS - 1)


async def test_a_log_goes_on_where_it_was_when_other_tabs_come_and_go(
    tabs: Tabs, tmp_path: Path
) -> None:
    """Each has the common connection begun again: no line is missing or twice."""
    writers = Writers(("a", "b"))
    async with running_site(writers.pipeline, tmp_path) as site:
        first, second = await writers.job("a"), await writers.job("b")
        page = await tabs.open()
        await page.goto(f"{site.url}/job/{job_of(site, 'a')}")
        await expect(page.locator(".log-status")).to_contain_text("live")
        for turn in range(4):
            other = await page.context.new_page()
            await other.goto(f"{site.url}/job/{job_of(site, 'b')}")
            await expect(other.locator(".log-status")).to_contain_text("live")
            first.write(f"turn {turn}\n")
            second.write(f"here {turn}\n")
            await expect(other.locator(".log-text", has_text=f"here {turn}")).to_have_count(1)
            await expect(page.locator(".log-text", has_text=f"turn {turn}")).to_have_count(1)
            await other.close()
        shown = page.locator(".log-text", has_text="turn ")
        assert await shown.all_text_contents() == [f"turn {turn}" for turn in range(4)]
