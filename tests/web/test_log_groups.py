"""Groups of lines in the log of a job, and lines that are annotations."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from pycurrent.engine import Job

from .sites import RunningSite, running_site
from .test_log_page import line, many, number, show
from .writers import Writers, job_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

LOG = (
    b"before\n::group::Build\n" + many(300) + b"::endgroup::\n"
    b"::error file=src/a.py,line=3,title=E1::it is wrong\n"
    b"::group::Test\ninside\n::warning::odd\n::endgroup::\nafter\n"
)


@pytest_asyncio.fixture(loop_scope="session")
async def writers() -> Writers:
    return Writers(("a",))


@pytest_asyncio.fixture(loop_scope="session")
async def site(writers: Writers, tmp_path: Path) -> AsyncIterator[RunningSite]:
    async with running_site(writers.pipeline, tmp_path / "state") as site:
        yield site


@pytest_asyncio.fixture(loop_scope="session")
async def job(site: RunningSite, writers: Writers) -> Job:
    """A job that is at work, and has printed the log."""
    job = await writers.job("a")
    job.write(LOG)
    return job


async def test_groups_are_folded(page: Page, site: RunningSite, job: Job) -> None:
    """And open by a click on their headings; what is an annotation has a colour."""
    await show(page, site)
    build = page.get_by_role("button", name="Build")
    await expect(build).to_have_attribute("aria-expanded", "false")
    await expect(build).to_contain_text("301 lines")
    await expect(line(page, "line 1")).to_have_count(0)
    await expect(line(page, "before")).to_be_visible()
    await expect(line(page, "after")).to_be_visible()
    await expect(page.locator(".log-line.is-error")).to_contain_text("it is wrong")
    await page.get_by_role("button", name="Test").click()
    await expect(line(page, "inside")).to_be_visible()
    await expect(page.locator(".log-line.is-warning")).to_contain_text("odd")
    await build.click()
    await expect(line(page, "line 1")).to_be_visible()
    await build.click()
    await expect(line(page, "line 1")).to_have_count(0)


async def test_a_link_to_a_line_opens_its_group(page: Page, site: RunningSite, job: Job) -> None:
    """So does a search that finds it, with the numbers that the log has."""
    await show(page, site, "#L203")
    await expect(number(page, 203)).to_contain_text("line 200")
    await expect(number(page, 203)).to_be_in_viewport()
    await page.get_by_label("Search the log", exact=True).fill("inside")
    await page.keyboard.press("Enter")
    await expect(line(page, "inside")).to_be_in_viewport()


async def test_a_group_that_comes_later_stays_open(page: Page, site: RunningSite, job: Job) -> None:
    """While somebody reads it."""
    await show(page, site)
    await expect(line(page, "after")).to_be_visible()
    job.write("::group::Late\nseen\n::endgroup::\nlast\n")
    await expect(page.get_by_role("button", name="Late")).to_be_visible()
    await expect(line(page, "seen")).to_be_visible()
    await expect(line(page, "last")).to_be_in_viewport()


async def test_annotations_lead_to_their_lines(page: Page, site: RunningSite, job: Job) -> None:
    """From above the log."""
    await show(page, site)
    await expect(page.get_by_text("1 error, 1 warning")).to_be_visible()
    await page.get_by_role("link", name="src/a.py:3").click()
    await expect(number(page, 305)).to_contain_text("it is wrong")
    await expect(number(page, 305)).to_be_in_viewport()


async def test_without_scripts_and_by_the_api(site: RunningSite, job: Job) -> None:
    """Headings are plain there; the API has the groups."""
    job_id = job_of(site, "a")
    async with httpx.AsyncClient(base_url=site.url) as client:
        text = (await client.get(f"/job/{job_id}")).text
        found = (await client.get(f"/api/v1/jobs/{job_id}/log/markers")).json()
        window = (await client.get(f"/api/v1/jobs/{job_id}/lines")).json()
        explained = (await client.get(f"/api/v1/jobs/{job_id}/annotations")).json()
    assert "▾ Test\ninside\n" in text
    assert "endgroup" not in text
    assert found["groups"][0] == {"name": "Build", "first": 2, "end": 304, "collapsed": True}
    assert [(one["number"], one["level"]) for one in found["lines"]] == [
        (304, "error"),
        (307, "warning"),
    ]
    assert found["changes"] == window["markers"] == 6
    assert explained["first"][0]["log_line"] == 305
    assert explained["first"][0]["title"] == "E1"
