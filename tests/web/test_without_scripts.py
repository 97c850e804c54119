"""The site in a browser that runs no scripts: what is seen, and what is done by forms."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from pycurrent import Config, Level, LogRule

from .browser import Tabs, texts
from .sites import RunningSite, running_site
from .writers import Writers, job_of, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

LEVELS = {"push": Level.DANGEROUS}


@pytest_asyncio.fixture(loop_scope="session")
async def writers() -> Writers:
    return Writers(("a", "b", "bad", "push"), LEVELS)


@pytest_asyncio.fixture(loop_scope="session")
async def site(writers: Writers, tmp_path: Path) -> AsyncIterator[RunningSite]:
    """One job has failed, two are at work, and one waits for confirmation."""
    config = Config(confirm=Level.DANGEROUS)
    async with running_site(writers.pipeline, tmp_path / "state", config=config) as site:
        job = await writers.job("bad")
        job.write("compiling\n\x1b[31merror: no such header\x1b[0m\n")
        writers.end("bad", "<b>broken</b>")
        await writers.job("a")
        await writers.job("b")
        await until(
            site,
            lambda: (
                (site.engine.stats.failed, site.engine.stats.waiting_for_confirmation) == (1, 1)
            ),
        )
        yield site


@pytest_asyncio.fixture(loop_scope="session")
async def plain(tabs: Tabs) -> Page:
    """A tab without JavaScript."""
    # What the page tells the browser to fetch for its script.
    tabs.faults.expect("was preloaded using link preload but not used")
    return await tabs.open(javascript=False)


async def stages(page: Page) -> list[str]:
    """The labels of the stages that are listed."""
    return sorted(await texts(page, "tr[data-node] th a"))


async def test_the_list_of_stages_is_filtered(plain: Page, site: RunningSite) -> None:
    """By state, by a text in label or failure, and by what the header counts."""
    await plain.goto(site.url)
    assert await stages(plain) == ["write a", "write b", "write bad", "write push"]
    await plain.locator("select[name=state]").select_option("failed")
    await plain.get_by_role("button", name="Filter").click()
    await expect(plain).to_have_url(re.compile(r"[?&]state=failed\b"))
    assert await stages(plain) == ["write bad"]
    await expect(plain.locator("tr[data-node] .why")).to_have_text("<b>broken</b>")
    await plain.get_by_role("link", name="Show all").click()
    await plain.get_by_label("Label or failure").fill("PUSH")
    await plain.keyboard.press("Enter")
    await expect(plain).to_have_url(re.compile("text=PUSH"))
    assert await stages(plain) == ["write push"]
    await plain.get_by_label("Stages by state").get_by_role("link", name="running").click()
    assert await stages(plain) == ["write a", "write b"]
    await plain.get_by_label("Label or failure").fill("nothing like it")
    await plain.keyboard.press("Enter")
    await expect(plain.locator("#stages .empty")).to_contain_text("No stage matches.")


async def test_a_stage_leads_to_the_log_of_its_job(plain: Page, site: RunningSite) -> None:
    """As plain text, with the reason above it, and all of it behind a link."""
    await plain.goto(site.url)
    await plain.locator("main").get_by_role("link", name="write bad").click()
    await expect(plain.locator("h1")).to_have_text("write bad")
    failure = plain.get_by_label("Why it failed")
    await expect(failure.locator(".message")).to_have_text("<b>broken</b>")
    await expect(failure.locator(".excerpt b").first).to_have_text("error: no such header")
    log = plain.locator("pre.log")
    await expect(log).to_contain_text("compiling\nerror: no such header\n")
    assert "\x1b" not in await log.inner_text()
    await plain.get_by_role("link", name="Raw").click()
    await expect(plain.locator("body")).to_contain_text("error: no such header")


async def test_a_job_is_cancelled_and_rebuilt_by_forms(
    plain: Page, site: RunningSite, writers: Writers
) -> None:
    """Each leads to a page that shows what has become of it."""
    cancelled = f"{site.url}/job/{job_of(site, 'a')}"
    await plain.goto(cancelled)
    async with plain.expect_navigation():
        await plain.get_by_role("button", name="Cancel").click()
    await until(site, lambda: site.engine.stats.failed == 2)
    await plain.reload()
    await expect(plain.locator("h1 + .badge")).to_have_text("cancelled")
    await expect(plain.locator("pre.log")).to_contain_text("Cancelling: by")
    await plain.get_by_role("button", name="Rebuild").click()
    await expect(plain.locator("h1 + .badge")).to_have_text("running")
    assert not plain.url.startswith(cancelled)
    await writers.job("a")
    writers.end("a")
    await until(site, lambda: site.engine.stats.ok == 1)
    await plain.reload()
    await expect(plain.locator("h1 + .badge")).to_have_text("ok")
    runs = plain.get_by_role("region", name="The same work before")
    assert await texts(plain, "[data-part=job-history] tbody th") == ["#1", "#0"]
    await runs.get_by_role("link", name="#0").click()
    await expect(plain).to_have_url(cancelled)


async def test_a_job_that_waits_is_started_by_a_form(
    plain: Page, site: RunningSite, writers: Writers
) -> None:
    """Those that are ticked, from the list of jobs."""
    await plain.goto(f"{site.url}/jobs")
    await plain.get_by_role("checkbox", name="Select write push").check()
    await plain.locator(".foot").get_by_role("button", name="Approve").click()
    await expect(plain.locator("[data-part=notice]")).to_contain_text("1 job approved: ")
    await writers.job("push")


async def test_the_level_is_changed_from_any_page(
    plain: Page, site: RunningSite, writers: Writers
) -> None:
    """Behind a fold of the header, which says what would start."""
    await plain.goto(f"{site.url}/history?ok=false")
    menu = plain.locator("[data-live=confirm]")
    await menu.locator("summary").click()
    await expect(menu).to_contain_text("1 would start")
    await menu.get_by_role("radio", name="for nothing").check()
    await menu.get_by_role("button", name="Set").click()
    await expect(plain.locator("[data-part=notice]")).to_contain_text("1 job may start now")
    await expect(plain).to_have_url(re.compile(r"/history\?ok=false"))
    await writers.job("push")
    assert site.engine.config.confirm is None


async def test_a_rule_is_tried_saved_changed_and_removed(plain: Page, site: RunningSite) -> None:
    """What was typed is still there after each step."""
    await plain.goto(f"{site.url}/rules")
    pattern = plain.get_by_label(re.compile("^Pattern"))
    await pattern.fill(r"error: (.*[a-z])")
    await plain.get_by_label(re.compile("^Report")).fill(r"compiler: \1")
    await plain.get_by_role("button", name=re.compile("^Try on")).click()
    await expect(plain.get_by_text("It matches 1 of the last 1 failure")).to_be_visible()
    await expect(plain.get_by_text("compiler: no such header")).to_be_visible()
    await expect(pattern).to_have_value(r"error: (.*[a-z])")
    assert site.service.rules.list() == ()
    await plain.get_by_role("button", name="Save").click()
    (rule,) = site.service.rules.list()
    assert (rule.pattern, rule.report) == (r"error: (.*[a-z])", r"compiler: \1")
    await plain.get_by_role("link", name="Change").click()
    await plain.get_by_label(re.compile("^Score")).fill("7")
    await plain.get_by_role("button", name="Save").click()
    await expect(plain.locator("td[data-label=score]")).to_have_text("7")
    await plain.get_by_role("button", name="Remove").click()
    await expect(plain.get_by_text("There are no rules yet.")).to_be_visible()
    await plain.get_by_label(re.compile("^CSV")).fill("pattern,report,score\nx+,an x,3\n")
    await plain.get_by_role("button", name="Import").click()
    await expect(plain.locator("td[data-label=score]")).to_have_text("3")
    assert site.service.rules.list() == (LogRule("x+", "an x", 3),)


async def test_history_is_filtered_and_rebuilt(
    plain: Page, site: RunningSite, writers: Writers
) -> None:
    """What is ticked, and what matches, after a page that says how much that is."""
    writers.end("a")
    await until(site, lambda: site.engine.stats.ok == 1)
    await plain.goto(f"{site.url}/history")
    assert sorted(await texts(plain, "tbody th > a")) == ["write a", "write bad"]
    await plain.locator("select[name=end]").select_option("failed")
    await plain.get_by_role("button", name="Filter").click()
    await expect(plain).to_have_url(re.compile("end=failed"))
    assert await texts(plain, "tbody th > a") == ["write bad"]
    await plain.get_by_role("checkbox", name=re.compile("^Select write bad")).check()
    await plain.get_by_role("button", name="Rebuild selected").click()
    await expect(plain.locator("[data-part=notice]")).to_contain_text("1")
    await writers.job("bad")
    writers.end("bad")
    await until(site, lambda: site.engine.stats.ok == 2)
    await plain.goto(f"{site.url}/history?ok=true")
    await plain.get_by_role("link", name=re.compile("^Rebuild all that match")).click()
    await plain.get_by_role("button", name="Rebuild 2 results").click()
    await expect(plain.locator("[data-part=notice]")).to_be_visible()
    await writers.job("a")
    await writers.job("bad")
