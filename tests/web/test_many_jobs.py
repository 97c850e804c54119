"""The page of the jobs when there are more of them than it shows."""

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Page, Route, expect

import pycurrent as current
from pycurrent import Current, Job, Level, Pool

from .api import until
from .sites import RunningSite, running_site

pytestmark = pytest.mark.asyncio(loop_scope="session")

JOBS, SHOWN = 450, 250


class Queue:
    """Jobs that stand in a queue, and end one by one when the test lets them."""

    def __init__(self) -> None:
        self.leave = asyncio.Semaphore(0)

        @current.builder("wait", level=Level.HARMLESS, pool=Pool("machines", 1))
        async def wait(job: Job, key: int) -> None:
            await self.leave.acquire()

        self.stages = [wait(key) for key in range(JOBS)]

    def pipeline(self) -> Current[object]:
        return current.all(self.stages)

    async def end(self, site: RunningSite, number: int) -> None:
        """End so many, and wait for it."""
        left = len(site.service.jobs.active()) - number
        for _ in range(number):
            self.leave.release()
        await until(lambda: len(site.service.jobs.active()) == left)


async def test_jobs_that_are_not_shown_move_up(page: Page, tmp_path: Path) -> None:
    """The page shows the oldest ones, counts all, and in the end has shown each of them."""
    queue = Queue()
    async with running_site(queue.pipeline, tmp_path / "state") as site:
        await until(lambda: len(site.service.jobs.active()) == JOBS)
        names = [job.description for job in site.service.jobs.active()]
        rows, total = page.locator("tr[data-job] th a"), page.locator("[data-jobs-total]")
        await page.goto(f"{site.url}/jobs")
        await expect(rows).to_have_text(names[:SHOWN])
        await expect(total).to_contain_text("450 jobs that have not ended")
        await queue.end(site, 150)
        await expect(total).to_contain_text("300 jobs that have not ended")
        await expect(rows).to_have_text(names[150 : 150 + SHOWN])
        await queue.end(site, 150)
        # Waited for, not read once: rows go before those come that move up.
        await expect(rows).to_have_text(names[300:])
        await expect(total).to_have_text("150 jobs that have not ended")
        await queue.end(site, JOBS - 300)
        await expect(rows).to_have_count(0)


async def test_jobs_that_end_while_the_jobs_are_read_move_up(page: Page, tmp_path: Path) -> None:
    """They have ended after the answer was made, so others have to be read once more."""
    queue = Queue()
    async with running_site(queue.pipeline, tmp_path / "state") as site:
        await until(lambda: len(site.service.jobs.active()) == JOBS)
        names = [job.description for job in site.service.jobs.active()]
        rows, total = page.locator("tr[data-job] th a"), page.locator("[data-jobs-total]")
        await page.goto(f"{site.url}/jobs")
        await expect(rows).to_have_text(names[:SHOWN])
        made, passes = asyncio.Event(), asyncio.Event()

        async def late(route: Route) -> None:
            answer = await route.fetch()
            made.set()
            await passes.wait()
            await route.fulfill(response=answer)

        await page.route("**/api/v1/jobs?*", late, times=1)
        await queue.end(site, 50)
        await made.wait()
        await queue.end(site, 50)
        # Said by an event of its own, which comes with that of the jobs.
        await expect(total).to_contain_text("350 jobs that have not ended")
        passes.set()
        await expect(rows).to_have_text(names[100 : 100 + SHOWN])


async def test_pages_of_the_jobs_follow_each_other(page: Page, tmp_path: Path) -> None:
    """Also while jobs end: what has not ended is on one of them."""
    queue = Queue()
    async with running_site(queue.pipeline, tmp_path / "state") as site:
        await until(lambda: len(site.service.jobs.active()) == JOBS)
        names = [job.description for job in site.service.jobs.active()]
        await page.goto(f"{site.url}/jobs")
        read = """async (after) => (await fetch(`/api/v1/jobs?limit=150${after}`)).json()"""
        first = await page.evaluate(read, "")
        await queue.end(site, 200)
        second = await page.evaluate(read, f"&after={first['next']}")
        assert [job["description"] for job in first["jobs"]] == names[:150]
        assert second["total"] == JOBS - 200
        third = await page.evaluate(read, f"&after={second['next']}")
        assert third["next"] is None
        seen = {job["description"] for page in (second, third) for job in page["jobs"]}
        assert seen == set(names[200:])


async def test_all_jobs_are_reached_page_by_page(page: Page, tmp_path: Path) -> None:
    """Each page begins after the last job of the one before, with the same filter; it is live."""
    queue = Queue()
    async with running_site(queue.pipeline, tmp_path / "state") as site:
        await until(lambda: len(site.service.jobs.active()) == JOBS)
        names = [job.description for job in site.service.jobs.active()]
        rows = page.locator("tr[data-job] th a")
        await page.goto(f"{site.url}/jobs?path=*")
        await expect(rows).to_have_text(names[:SHOWN])
        await page.locator("[data-jobs-next]").click()
        await page.wait_for_url("**/jobs?path=*&after=*")
        await expect(rows).to_have_text(names[SHOWN:])
        await expect(page.locator("[data-jobs-total]")).to_contain_text("450 jobs")
        await expect(page.locator("[data-jobs-next]")).to_be_hidden()
        await queue.end(site, 100)
        await expect(page.locator("[data-jobs-total]")).to_contain_text("350 jobs")
        await expect(rows).to_have_text(names[SHOWN:])
        await page.get_by_role("link", name="The oldest").click()
        await expect(rows).to_have_text(names[100 : 100 + SHOWN])
