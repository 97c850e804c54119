"""The jobs that have not ended, and the confirmation level, as people use them."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from pycurrent import Config, Level
from pycurrent.web.settings import WebSettings
from pycurrent.web.users import PASSWORD_FILE, LocalUser, PasswordFile, Role

from .browser import Tabs, texts
from .sites import ANY_PORT, FOR_ALL, RunningSite, running_site
from .visits import HASH, PASSWORD, access
from .writers import Writers, job_of, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

FAILED_ICON = re.compile(r"/icon-failed\.svg$")
LEVELS = {"push": Level.DANGEROUS, "tag": Level.DANGEROUS, "test": Level.ABOVE_AVERAGE}


@pytest_asyncio.fixture(loop_scope="session")
async def writers() -> Writers:
    return Writers(("a", "b", "push", "tag", "test"), LEVELS)


@pytest_asyncio.fixture(loop_scope="session")
async def site(writers: Writers, tmp_path: Path) -> AsyncIterator[RunningSite]:
    """Two jobs are at work; three wait for confirmation."""
    config = Config(confirm=Level.ABOVE_AVERAGE)
    async with running_site(writers.pipeline, tmp_path / "state", config=config) as site:
        await until(site, lambda: site.engine.stats.waiting_for_confirmation == 3)
        yield site


@pytest_asyncio.fixture(loop_scope="session")
async def guarded(writers: Writers, tmp_path: Path) -> AsyncIterator[RunningSite]:
    """The same, but people have to log in: alice is an admin, bob builds, carol looks on."""
    users = PasswordFile(tmp_path / PASSWORD_FILE)
    for name, role in (("alice", Role.ADMIN), ("bob", Role.BUILDER), ("carol", Role.VIEWER)):
        users.put(LocalUser(name, role, HASH))
    settings: WebSettings = replace(ANY_PORT, access=access(tmp_path))
    config = Config(confirm=Level.ABOVE_AVERAGE)
    running = running_site(writers.pipeline, tmp_path / "state", settings=settings, config=config)
    async with running as site:
        await until(site, lambda: site.engine.stats.waiting_for_confirmation == 3)
        yield site


async def log_in(tabs: Tabs, site: RunningSite, name: str, path: str) -> Page:
    """A tab of somebody, at a page."""
    page = await tabs.open()
    await page.goto(f"{site.url}/login?next={path}")
    await page.get_by_label("Name").fill(name)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await page.wait_for_url(f"{site.url}{path}")
    return page


def row(page: Page, key: str) -> Locator:
    return page.locator("tr[data-job]").filter(
        has=page.get_by_role("link", name=f"write {key}", exact=True)
    )


def level(page: Page) -> Locator:
    """What the head of the page says of the confirmation level."""
    return page.locator("[data-live=confirm] b").first


async def set_level(page: Page, choice: str) -> None:
    menu = page.locator("[data-live=confirm]")
    await menu.locator("summary").click()
    await menu.get_by_role("radio", name=choice).check()
    await menu.get_by_role("button", name="Set").click()


async def test_jobs_come_and_go_without_reloading(
    page: Page, site: RunningSite, writers: Writers
) -> None:
    """A row for each that has not ended, with what it waits for; a new one at the end."""
    await page.goto(f"{site.url}/jobs")
    await expect(page.locator("tr[data-job]")).to_have_count(5)
    await expect(row(page, "push")).to_contain_text("confirmation (its level is dangerous)")
    await writers.job("a")
    writers.end("a")
    await expect(row(page, "a")).to_have_count(0)
    await expect(page.locator("[data-jobs-total]")).to_have_text("4 jobs that have not ended")
    site.service.jobs.rebuild(job_of(site, "a"), by="ann")
    await expect(row(page, "a")).to_contain_text("running")
    assert (await texts(page, "tr[data-job] th a"))[-1] == "write a"


async def test_the_jobs_of_a_label_come_and_go(tabs: Tabs, tmp_path: Path) -> None:
    """A job shows its labels, which lead to those that have them; with scripts or without."""
    writers = Writers(("a", "b", "c"), teams={"a": "red", "b": "red", "c": "blue"})
    async with running_site(writers.pipeline, tmp_path / "labelled") as site:
        for key in "abc":
            await writers.job(key)
        plain = await tabs.open(javascript=False)
        await plain.goto(f"{site.url}/jobs")
        await row(plain, "c").get_by_role("link", name="team=blue").click()
        await plain.locator("main").get_by_role("link", name="Jobs", exact=True).click()
        assert await texts(plain, "tr[data-job] th > a") == ["write c"]
        await row(plain, "c").get_by_role("button", name="Cancel").click()
        await plain.goto(f"{site.url}/jobs?path=*c")
        await expect(plain.locator("main")).to_contain_text("No job that has not ended matches")
        page = await tabs.open()
        await page.goto(f"{site.url}/jobs")
        await page.get_by_label("Labels").fill("team=red")
        await page.get_by_role("button", name="Filter").click()
        await expect(page.locator("tr[data-job]")).to_have_count(2)
        await expect(row(page, "a")).to_contain_text("team=red")
        writers.end("a")
        await expect(row(page, "a")).to_have_count(0)
        await expect(page.locator("[data-jobs-total]")).to_have_text("1 job that has not ended")
        for key in "ca":
            site.service.jobs.rebuild(job_of(site, key), by="ann")
        await expect(row(page, "a")).to_contain_text("team=red")
        await expect(page.locator("tr[data-job]")).to_have_count(2)
        tabs.faults.expect("422")
        await page.goto(f"{site.url}/jobs?label=red")
        await expect(page.locator("main")).to_contain_text("'red' is not a condition on a label")


async def test_jobs_of_an_engine_that_has_gone_are_said_to_be_past(
    page: Page, writers: Writers, tmp_path: Path
) -> None:
    """In the head of each page; it goes on by itself with the engine that comes after."""
    note = page.locator("[data-offline-note]")
    async with running_site(writers.pipeline, tmp_path / "state") as site:
        await page.goto(f"{site.url}/jobs")
        await expect(page.locator("tr[data-job]")).to_have_count(5)
        await expect(note).to_be_hidden()
        port = int(site.url.rsplit(":", 1)[1])
    await expect(note).to_have_text(re.compile("^Not connected: this is how it was"))
    later = Writers(("new",))
    settings = WebSettings(port=port, access=FOR_ALL)
    async with running_site(later.pipeline, tmp_path / "state", settings=settings):
        await expect(row(page, "new")).to_be_visible()
        await expect(page.locator("tr[data-job]")).to_have_count(1)
        await expect(note).to_be_hidden()


async def test_a_second_click_hits_no_other_job(
    page: Page, site: RunningSite, writers: Writers
) -> None:
    """The row of a job that has ended stays under the pointer, and does nothing."""
    await page.goto(f"{site.url}/jobs")
    cancel = row(page, "a").get_by_role("button", name="Cancel")
    spot = await cancel.bounding_box()
    assert spot is not None
    x, y = spot["x"] + spot["width"] / 2, spot["y"] + spot["height"] / 2
    for _ in range(2):
        await page.mouse.click(x, y)
        await expect(page.locator("tr.gone")).to_contain_text("has ended")
    await expect(page.locator("tr[data-job]")).to_have_count(4)
    await expect(page.locator("[data-part=notice]")).to_contain_text("write a")
    assert site.engine.stats.failed == 1
    await page.mouse.move(1, 1)
    await expect(page.locator("tr.gone")).to_have_count(0)


async def test_a_button_that_has_moved_is_inert_for_a_second(page: Page, site: RunningSite) -> None:
    """One that comes under a pointer at rest was not meant; later it is."""
    await page.clock.install()
    await page.goto(f"{site.url}/jobs")
    cancel = row(page, "b").get_by_role("button", name="Cancel")
    spot = await cancel.bounding_box()
    assert spot is not None
    x, y = spot["x"] + spot["width"] / 2, spot["y"] + spot["height"] / 2 + 200
    await page.mouse.move(x, y)
    await page.evaluate("document.querySelector('main').style.marginTop = '200px'")
    for button in ("down", "up"):
        await getattr(page.mouse, button)()
    await page.clock.fast_forward(500)
    await page.mouse.click(x, y)
    assert site.engine.stats.failed == 0
    await page.clock.fast_forward(1100)
    await page.mouse.click(x, y)
    await expect(page.locator("[data-part=notice]")).to_contain_text("write b")


async def test_a_key_pressed_again_hits_no_other_job(page: Page, site: RunningSite) -> None:
    """Who was on a button of a job that has ended is on its link."""
    await page.goto(f"{site.url}/jobs")
    await row(page, "a").get_by_role("button", name="Cancel").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("tr.gone")).to_be_visible()
    await expect(page.locator("tr.gone a")).to_be_focused()
    assert site.engine.stats.failed == 1


async def test_times_are_those_of_the_engine(tabs: Tabs, site: RunningSite) -> None:
    """Whatever the reader's clock says, when the page is loaded or later."""
    page = await tabs.open()
    await page.clock.install(time="2001-01-01T00:00:00Z")
    await page.goto(f"{site.url}/jobs")
    since = row(page, "a").locator("[data-cell=since]")
    await expect(since).to_have_text(re.compile(r"^\d+(\.\d)? s$"))
    await page.clock.set_system_time("2031-01-01T00:00:00Z")
    await page.reload()
    await expect(since).to_have_text(re.compile(r"^\d+(\.\d)? s$"))


async def test_what_is_ticked_stays_ticked_while_rows_change(
    page: Page, site: RunningSite, writers: Writers
) -> None:
    """Nobody cancels something else than they have chosen."""
    await page.goto(f"{site.url}/jobs")
    await row(page, "b").get_by_role("checkbox").check()
    await writers.job("a")
    writers.end("a")
    await expect(row(page, "a")).to_have_count(0)
    await expect(row(page, "b").get_by_role("checkbox")).to_be_checked()
    await expect(page.get_by_role("checkbox", name="Select all")).not_to_be_checked()


async def test_several_jobs_are_cancelled_at_once(page: Page, site: RunningSite) -> None:
    """Those that are ticked, without leaving the page."""
    await page.goto(f"{site.url}/jobs")
    await row(page, "a").get_by_role("checkbox").check()
    await row(page, "push").get_by_role("checkbox").check()
    await page.locator(".foot").get_by_role("button", name="Cancel").click()
    await expect(page.locator("[data-part=notice]")).to_contain_text("2 jobs cancelled")
    await expect(page.locator("tr[data-job]")).to_have_count(3)
    assert page.url == f"{site.url}/jobs"


async def test_a_job_is_approved_from_the_list(
    page: Page, site: RunningSite, writers: Writers
) -> None:
    """It goes on; the others that wait do not."""
    await page.goto(f"{site.url}/jobs")
    await row(page, "push").get_by_role("button", name="Approve").click()
    await expect(row(page, "push")).to_contain_text("running")
    await expect(row(page, "push").get_by_role("button", name="Approve")).to_have_count(0)
    await expect(row(page, "tag")).to_contain_text("waiting")
    job = await writers.job("push")
    assert "Approved by" in site.service.logs.source(job.id).text()


async def test_a_job_is_approved_on_its_page(
    page: Page, site: RunningSite, writers: Writers
) -> None:
    """The page follows: first what it waits for, then that it runs, then its end."""
    await page.goto(f"{site.url}/job/{job_of(site, 'push')}")
    await expect(page.locator("[data-part=job-facts]")).to_contain_text("confirmation")
    await page.get_by_role("button", name="Approve").click()
    await expect(page.locator("h1 + .badge")).to_have_text("running")
    await expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    await writers.job("push")
    writers.end("push")
    await expect(page.locator("h1 + .badge")).to_have_text("ok")


async def test_when_nothing_is_left_the_page_says_so(page: Page, tmp_path: Path) -> None:
    """And shows the list again when something comes."""
    writers = Writers(("a",))
    async with running_site(writers.pipeline, tmp_path / "few") as site:
        await writers.job("a")
        await page.goto(f"{site.url}/jobs")
        await expect(row(page, "a")).to_be_visible()
        writers.end("a")
        empty = page.get_by_text("Nothing is at work, and nothing waits.")
        await expect(empty).to_be_visible()
        site.service.jobs.rebuild(job_of(site, "a"), by="ann")
        await expect(row(page, "a")).to_be_visible()
        await expect(empty).to_be_hidden()
        await page.goto("about:blank")


async def test_the_list_goes_on_where_it_was_after_the_tab_was_hidden(
    page: Page, site: RunningSite, writers: Writers
) -> None:
    """A page that nobody sees lets go of its stream; what has happened is told when it is back."""
    await page.goto(f"{site.url}/jobs")
    await expect(page.locator("tr[data-job]")).to_have_count(5)
    hide = """(hidden) => {
        Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    await page.evaluate(hide, True)
    await writers.job("a")
    writers.end("a")
    await until(site, lambda: site.engine.stats.ok == 1)
    await expect(row(page, "a")).to_be_visible()
    await page.evaluate(hide, False)
    await expect(row(page, "a")).to_have_count(0)
    await expect(page.locator("tr[data-job]")).to_have_count(4)


async def test_the_level_changes_for_everybody_at_once(tabs: Tabs, site: RunningSite) -> None:
    """Two people look on; what one of them sets the other one sees, on whatever page."""
    one, other = await tabs.open(), await tabs.open()
    await one.goto(f"{site.url}/jobs")
    await other.goto(f"{site.url}/history")
    await expect(level(one)).to_have_text("above-average and above")
    await set_level(one, "for dangerous")
    await expect(one.locator("[data-part=notice]")).to_contain_text("1 job may start now")
    await expect(level(one)).to_have_text("dangerous")
    await expect(level(other)).to_have_text("dangerous")
    await expect(row(one, "test")).to_contain_text("running")
    await set_level(other, "for nothing")
    await expect(level(one)).to_have_text("nothing")
    await expect(row(one, "push")).to_contain_text("running")
    assert site.engine.config.confirm is None


async def test_the_menu_says_what_each_level_would_start(page: Page, site: RunningSite) -> None:
    """It is kept up to date while it is open, and does not change what is being chosen."""
    await page.goto(f"{site.url}/rules")
    menu = page.locator("[data-live=confirm]")
    await expect(menu.locator("summary")).to_contain_text("3 waiting")
    await menu.locator("summary").click()
    nothing = menu.locator("label").filter(has_text="for nothing")
    await expect(nothing).to_contain_text("3 would start")
    await expect(menu.locator("label").filter(has_text="for dangerous")).to_contain_text(
        "1 would start"
    )
    await menu.get_by_role("radio", name="for nothing").check()
    site.service.jobs.approve(job_of(site, "push"), by="a test")
    await expect(nothing).to_contain_text("2 would start")
    site.service.confirmation.set(Level.AVERAGE, by="ann")
    await expect(level(page)).to_have_text("average and above")
    await expect(menu.get_by_role("radio", name="for nothing")).to_be_checked()
    await page.keyboard.press("Escape")
    await menu.locator("summary").click()
    await expect(menu.get_by_role("radio", name="for average and above")).to_be_checked()


async def test_who_may_only_look_is_offered_nothing_else(
    tabs: Tabs, guarded: RunningSite, writers: Writers
) -> None:
    """In rows that were there, and in those that come."""
    page = await log_in(tabs, guarded, "carol", "/jobs")
    await expect(page.locator("tr[data-job]")).to_have_count(5)
    await writers.job("a")
    writers.end("a")
    await expect(row(page, "a")).to_have_count(0)
    guarded.service.jobs.rebuild(job_of(guarded, "a"), by="ann")
    await expect(row(page, "a")).to_be_visible()
    await expect(page.locator("main form[method=post]").get_by_role("button")).to_have_count(0)
    await expect(page.locator("main").get_by_role("checkbox")).to_have_count(0)
    await expect(page.locator("[data-live=confirm] summary")).to_have_count(0)
    guarded.service.confirmation.set(Level.DANGEROUS, by="ann")
    await expect(level(page)).to_have_text("dangerous")


async def test_a_builder_cancels_but_does_not_confirm(tabs: Tabs, guarded: RunningSite) -> None:
    """What takes another role is not there; the log says who has cancelled."""
    page = await log_in(tabs, guarded, "bob", "/jobs")
    await expect(page.locator("tr[data-job]")).to_have_count(5)
    await expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    job_id = job_of(guarded, "a")
    await row(page, "a").get_by_role("button", name="Cancel").click()
    await expect(row(page, "a")).to_have_count(0)
    assert "Cancelling: by bob" in guarded.service.logs.source(job_id).text()


async def test_an_admin_and_a_viewer_see_the_same_change(tabs: Tabs, guarded: RunningSite) -> None:
    """One sets the level, and what waits goes on before the eyes of the other."""
    alice = await log_in(tabs, guarded, "alice", "/jobs")
    carol = await log_in(tabs, guarded, "carol", "/jobs")
    await expect(row(carol, "push")).to_contain_text("waiting")
    await set_level(alice, "for nothing")
    await expect(level(carol)).to_have_text("nothing")
    await expect(row(carol, "push")).to_contain_text("running")


async def test_what_was_refused_meanwhile_is_said(tabs: Tabs, guarded: RunningSite) -> None:
    """Somebody who has lost the right since the page was made is told so, on the page."""
    page = await log_in(tabs, guarded, "bob", "/jobs")
    await expect(page.locator("tr[data-job]")).to_have_count(5)
    users = guarded.service.state_dir().parent / PASSWORD_FILE
    PasswordFile(users).put(LocalUser("bob", Role.VIEWER, HASH))
    tabs.faults.expect("403")
    await row(page, "a").get_by_role("button", name="Cancel").click()
    await expect(page.get_by_role("alert")).to_contain_text(re.compile("takes the role builder"))
    await expect(row(page, "a")).to_contain_text("running")


async def test_without_scripts_jobs_are_cancelled_and_the_level_is_set(
    tabs: Tabs, site: RunningSite
) -> None:
    """The same forms, with a page as the answer."""
    page = await tabs.open(javascript=False)
    await page.goto(f"{site.url}/jobs")
    await row(page, "a").get_by_role("button", name="Cancel").click()
    await expect(page.locator("h1")).to_have_text("write a")
    await page.goto(f"{site.url}/jobs")
    await expect(row(page, "a")).to_have_count(0)
    await set_level(page, "for nothing")
    await expect(level(page)).to_have_text("nothing")
    await expect(page.locator("[data-part=notice]")).to_contain_text("3 jobs may start now")


@pytest.mark.parametrize("width", [320, 390, 720, 800, 900, 1024, 1100, 1280])
async def test_nothing_has_to_be_scrolled_sideways(
    tabs: Tabs, site: RunningSite, width: int
) -> None:
    """At any width, whatever the name of the level: a button out of sight is not found."""
    page = await tabs.open(width=width)
    for path in ("/jobs", "/", "/history", "/rules"):
        await page.goto(f"{site.url}{path}")
        assert await page.evaluate(
            "() => document.documentElement.scrollWidth <= innerWidth && "
            "[...document.querySelectorAll('.table-scroll')]"
            ".every((box) => box.scrollWidth <= box.clientWidth)"
        ), path


async def test_the_title_tells_failures_from_the_start(page: Page, site: RunningSite) -> None:
    """Of a pipeline in which nothing changes, too; it is not said twice once it does."""
    site.service.jobs.cancel(job_of(site, "a"), by="somebody")
    await until(site, lambda: site.engine.stats.failed == 1)
    await page.goto(f"{site.url}/jobs", wait_until="commit")
    await expect(page).to_have_title("✗ 1 · Jobs · pycurrent")
    await expect(page.locator("link[rel=icon]")).to_have_attribute("href", FAILED_ICON)
    place = page.locator("[data-headline]")
    await expect(place.get_by_role("link")).to_have_text(["write a"])
    site.service.jobs.cancel(job_of(site, "b"), by="somebody")
    await expect(page).to_have_title("✗ 2 · Jobs · pycurrent")
    await expect(place.get_by_role("link")).to_have_text(["write b", "and 1 more"])


@pytest.mark.parametrize("width", [900, 1100, 1280, 1500])
async def test_what_failed_covers_no_count(tabs: Tabs, site: RunningSite, width: int) -> None:
    """Its place gets shorter first."""
    for key in "ab":
        site.service.jobs.cancel(job_of(site, key), by="somebody")
    await until(site, lambda: site.engine.stats.failed == 2)
    page = await tabs.open(width=width)
    await page.goto(f"{site.url}/jobs")
    # In one look: the header is replaced whenever there is news.
    await page.wait_for_function(
        """() => {
            const links = [...document.querySelectorAll(".headline a")];
            const areas = links.map((link) => link.getBoundingClientRect());
            const shown = areas.filter((area) => area.width > 0);
            const counts = document.querySelector(".counts").getBoundingClientRect();
            return shown.length > 0 && shown.every((area) => area.right <= counts.left);
        }"""
    )


async def test_the_icon_tells_of_what_is_of_most_concern(page: Page, site: RunningSite) -> None:
    """Live: first that a person is waited for, then that something has failed."""
    await page.goto(f"{site.url}/jobs")
    icon = page.locator("link[rel=icon]")
    await expect(icon).to_have_attribute("href", re.compile(r"/icon-waiting\.svg$"))
    site.service.jobs.cancel(job_of(site, "a"), by="somebody")
    await expect(icon).to_have_attribute("href", FAILED_ICON)
