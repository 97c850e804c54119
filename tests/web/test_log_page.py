"""The page of a job, and its log, as somebody uses it."""

import itertools
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, Route, expect

from pycurrent.engine import Job
from pycurrent.engine.site_links import stage_url
from pycurrent.web import WebSettings

from .browser import Tabs, texts
from .sites import FOR_ALL, RunningSite, running_site
from .writers import Writers, job_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

MANY = 20_000
WHOLE = 0.95
"""How much of a line is in view when all of it is, up to a part of a pixel."""


@pytest_asyncio.fixture(loop_scope="session")
async def writers() -> Writers:
    return Writers(("a",))


@pytest_asyncio.fixture(loop_scope="session")
async def site(writers: Writers, tmp_path: Path) -> AsyncIterator[RunningSite]:
    async with running_site(writers.pipeline, tmp_path / "state") as site:
        yield site


@pytest_asyncio.fixture(loop_scope="session")
async def job(site: RunningSite, writers: Writers) -> Job:
    """A job that is at work, and has said nothing yet."""
    return await writers.job("a")


async def show(page: Page, site: RunningSite, fragment: str = "") -> Locator:
    """Open the page of the job; gives the view of its log, once that shows something."""
    await page.goto(f"{site.url}/job/{job_of(site, 'a')}{fragment}")
    await expect(page.locator(".log-line").first).to_be_attached()
    return page.get_by_role("region", name="Log", exact=True)


def line(page: Page, text: str) -> Locator:
    """The lines that say exactly this."""
    return page.locator(".log-line").filter(
        has=page.locator(".log-text").get_by_text(re.compile(f"^{re.escape(text)}$"))
    )


def number(page: Page, line: int) -> Locator:
    return page.locator(f'.log-line[data-line="{line}"]')


def many(count: int = MANY) -> bytes:
    return b"".join(b"line %d\n" % at for at in range(1, count + 1))


async def scroll(page: Page, part: float) -> None:
    """Put the scroll bar of the log to this part of its way."""
    await page.evaluate(
        """(part) => {
            const log = document.querySelector(".log-scroll");
            log.scrollTop = part * (log.scrollHeight - log.clientHeight);
        }""",
        part,
    )


async def show_from_the_beginning(page: Page, site: RunningSite, job: Job, count: int) -> None:
    """Show a log of so many lines, which begins at its end, and go to its first one."""
    job.write(many(count))
    await show(page, site)
    await expect(line(page, f"line {count}")).to_be_in_viewport(timeout=30_000)
    await scroll(page, 0)
    await expect(line(page, "line 1")).to_be_in_viewport()


async def first_in_view(page: Page) -> int:
    """The number of the first line that is in view."""
    found: int = await page.evaluate(
        """() => {
            const top = document.querySelector(".log-scroll").getBoundingClientRect().top;
            const rows = [...document.querySelectorAll(".log-line")];
            return Number(rows.find((row) => row.getBoundingClientRect().bottom > top + 1)
                .dataset.line);
        }"""
    )
    return found


async def test_a_log_is_shown_as_it_grows(
    page: Page, site: RunningSite, writers: Writers, job: Job
) -> None:
    """New lines come to the end, which stays in view, until the job ends."""
    await show(page, site)
    await expect(page.locator(".log-status")).to_contain_text("live")
    job.write("first of all\n")
    await expect(line(page, "first of all")).to_be_in_viewport()
    job.write(many(500))
    await expect(line(page, "line 500")).to_be_in_viewport()
    job.write("not yet at its ")
    await expect(line(page, "not yet at its ")).to_be_in_viewport()
    job.write("end\n")
    await expect(line(page, "not yet at its end")).to_be_in_viewport()
    writers.end("a")
    await expect(page.locator("h1 + .badge")).to_have_text("ok")
    await expect(page.locator(".log-status")).not_to_contain_text("live")
    await expect(page.get_by_role("button", name="Rebuild")).to_be_visible()


async def test_a_page_that_gets_no_connection_says_so(
    page: Page, site: RunningSite, job: Job
) -> None:
    """A browser opens six to a site, and other pages may hold them: the head and the log tell. One
    without shared workers, as others have one stream for all tabs.
    """
    await page.add_init_script("delete window.SharedWorker")
    waiting: list[Route] = []
    streams = re.compile(r"/api/v1/(events|jobs/.*/log/stream)")

    async def hold(route: Route) -> None:
        waiting.append(route)

    await page.route(streams, hold)
    await page.clock.install()
    await show(page, site)
    note, status = page.locator("[data-offline-note]"), page.locator(".log-status")
    await expect(status).to_contain_text("live")
    await page.clock.run_for(4000)
    await expect(note).to_be_hidden()
    await page.clock.run_for(2000)
    await expect(note).to_contain_text("No live updates yet")
    await expect(status).to_contain_text("waits for a connection")
    assert len(waiting) == 2
    for route in waiting:
        await route.continue_()
    await expect(note).to_be_hidden()
    await expect(status).to_contain_text("live")


async def test_the_last_line_is_in_the_window_whatever_stands_above(
    tabs: Tabs, site: RunningSite, job: Job, writers: Writers
) -> None:
    """A small one, with a note of what was done, and with the reason of a failure."""
    page = await tabs.open(width=1240, height=760)
    job.write(many(200))
    await show(page, site)
    await expect(line(page, "line 200")).to_be_in_viewport(ratio=WHOLE)
    writers.end("a", "\n".join(["it", "is", "all", "wrong"]))
    await expect(page.get_by_label("Why it failed")).to_be_visible()
    last = page.locator(".log-line").filter(has_text="Job failed").last
    await expect(last).to_be_in_viewport(ratio=WHOLE)
    await page.get_by_role("button", name="Rebuild").click()
    await expect(page.locator("[data-part=notice]")).not_to_be_empty()
    again = await writers.job("a")
    again.write(many(200))
    await expect(line(page, "line 200")).to_be_in_viewport(ratio=WHOLE)


async def test_who_reads_back_is_not_taken_to_the_end(
    page: Page, site: RunningSite, job: Job
) -> None:
    """The lines in view stay where they are while others come; `End` follows again."""
    job.write(many(1000))
    view = await show(page, site)
    await expect(line(page, "line 1000")).to_be_in_viewport()
    await view.hover()
    await page.mouse.wheel(0, -3000)
    end = page.get_by_role("button", name="End")
    await expect(end).to_have_attribute("aria-pressed", "false")
    before = await first_in_view(page)
    job.write(many(1000))
    await expect(page.locator(".log-status")).to_contain_text(re.compile("2,00. lines"))
    assert await first_in_view(page) == before
    await end.click()
    job.write("the last one\n")
    await expect(line(page, "the last one")).to_be_in_viewport()
    await expect(end).to_have_attribute("aria-pressed", "true")


async def test_a_larger_window_goes_on_following(page: Page, site: RunningSite, job: Job) -> None:
    """Nobody has scrolled: the end of the log is in view, and stays so."""
    job.write(many(1000))
    await page.set_viewport_size({"width": 1280, "height": 800})
    await show(page, site)
    await expect(line(page, "line 1000")).to_be_in_viewport()
    await page.set_viewport_size({"width": 1280, "height": 1200})
    await expect(line(page, "line 1000")).to_be_in_viewport(ratio=WHOLE)
    job.write("one more\n")
    await expect(line(page, "one more")).to_be_in_viewport(ratio=WHOLE)
    end = page.get_by_role("button", name="End")
    await expect(end).to_have_attribute("aria-pressed", "true")


async def test_a_scroll_counts_that_comes_as_the_scroll_bar_moves_to_its_place(
    page: Page, site: RunningSite, writers: Writers, job: Job
) -> None:
    """As the last one comes to rest."""
    await show_from_the_beginning(page, site, job, 100_000)
    # It takes until the log is due to take this for rest, which then is the next thing to be done.
    await page.evaluate(
        """() => {
            const late = (s) => {
                const until = performance.now() + 60;
                while (performance.now() < until);
                s.scrollTop = s.scrollHeight;
            };
            const heard = (event) => setTimeout(late, 140, event.target);
            document.addEventListener("scroll", heard, { capture: true, once: true });
        }"""
    )
    await scroll(page, 0.5)
    await expect(line(page, "line 100000")).to_be_in_viewport()


async def test_the_end_of_a_million_lines_is_shown_and_all_else_is_in_reach(
    page: Page, site: RunningSite, writers: Writers, job: Job
) -> None:
    """The scroll bar leads to the beginning, the end, and what is between."""
    await show_from_the_beginning(page, site, job, 1_000_000)
    await scroll(page, 0.5)
    await expect(number(page, 500_000)).to_be_in_viewport()
    middle = await first_in_view(page)
    assert 499_000 < middle < 501_000
    await scroll(page, 1)
    await expect(line(page, "line 1000000")).to_be_in_viewport()
    assert await page.locator(".log-line").count() < 200


async def test_scrolling_passes_over_no_line(page: Page, site: RunningSite, job: Job) -> None:
    """Lines of different heights follow one another, as far as one scrolls."""
    for at in range(1, 301):
        job.write(f"{at} {'long ' * (at * 7 % 90)}\n")
    await show(page, site, "#L1")
    await page.locator(".log-scroll").hover()
    top, seen = 1, [1]
    while not await number(page, 300).count():
        await page.mouse.wheel(0, 150)
        await page.wait_for_function("() => new Promise(requestAnimationFrame)")
        rows = [int(text) for text in await texts(page, ".log-number")]
        assert rows == list(range(rows[0], rows[-1] + 1))
        top = await first_in_view(page)
        seen.append(top)
    # 150 pixels hold seven lines at most.
    assert all(0 <= after - before <= 15 for before, after in itertools.pairwise(seen)), seen


async def test_a_line_has_an_address(page: Page, site: RunningSite, tabs: Tabs, job: Job) -> None:
    """A click on a number puts it into the address, with shift a range; it leads there."""
    job.write(many())
    await show(page, site, "#L777")
    await expect(number(page, 777)).to_be_in_viewport()
    await expect(number(page, 777)).to_have_class(re.compile("is-marked"))
    await number(page, 780).locator(".log-number").click()
    assert page.url.endswith("#L780")
    await number(page, 783).locator(".log-number").click(modifiers=["Shift"])
    assert page.url.endswith("#L780-L783")
    await expect(page.locator(".log-line.is-marked")).to_have_count(4)

    other = await tabs.open()
    await other.goto(page.url)
    await expect(number(other, 780)).to_be_in_viewport()
    await expect(other.locator(".log-line.is-marked")).to_have_count(4)
    await other.evaluate("location.hash = '#L12000'")
    await expect(number(other, 12_000)).to_be_in_viewport()


async def test_search_finds_what_is_not_in_the_page(
    page: Page, site: RunningSite, job: Job
) -> None:
    """Matches are counted over all of the log, marked, and gone to in turn."""
    job.write(many())
    await show(page, site)
    search = page.get_by_role("searchbox", name="Search the log")
    await search.fill("LINE 1234")
    await search.press("Enter")
    count = page.locator(".log-count")
    await expect(count).to_have_text("1 of 11")
    await expect(line(page, "line 1234")).to_be_in_viewport()
    await expect(page.locator("mark").first).to_have_text("line 1234")
    await search.press("Enter")
    await expect(count).to_have_text("2 of 11")
    await expect(line(page, "line 12340")).to_be_in_viewport()
    await page.get_by_role("button", name="Previous match").click()
    await page.get_by_role("button", name="Previous match").click()
    await expect(count).to_have_text("11 of 11")
    await search.press("Escape")
    await expect(page.locator("mark")).to_have_count(0)
    await expect(count).to_be_empty()


async def test_search_takes_patterns_and_says_what_is_wrong_with_one(
    page: Page, site: RunningSite, tabs: Tabs, job: Job
) -> None:
    """Regular expressions, as log rules have them."""
    tabs.faults.expect("422")
    job.write(many())
    await show(page, site)
    await page.get_by_label("Search for a pattern").check()
    search = page.get_by_role("searchbox", name="Search the log")
    await search.fill(r"^line 9{4}$")
    await search.press("Enter")
    await expect(page.locator(".log-count")).to_have_text("1 of 1")
    await expect(line(page, "line 9999")).to_be_in_viewport()
    await search.fill("(")
    await search.press("Enter")
    await expect(page.locator(".log-count")).to_contain_text("can't be used")


async def test_search_goes_on_in_what_was_written_since(
    page: Page, site: RunningSite, job: Job
) -> None:
    """Beyond the last match come those that are new."""
    job.write("needle one\n")
    await show(page, site)
    search = page.get_by_role("searchbox", name="Search the log")
    await search.fill("needle")
    await search.press("Enter")
    await expect(page.locator(".log-count")).to_have_text("1 of 1")
    job.write(many(1000) + b"needle two\n")
    await expect(page.locator(".log-status")).to_contain_text(re.compile("1,00. lines"))
    await search.press("Enter")
    await expect(page.locator(".log-count")).to_have_text("2 of 2")
    await expect(line(page, "needle two")).to_be_in_viewport()


async def test_the_first_error_is_one_click_away(page: Page, site: RunningSite, job: Job) -> None:
    """The first line that looks like one, not a word that only has it in it."""
    job.write(many(3000) + b"terrors of errorlessness\n" + b"main.c:3:1: error: no such thing\n")
    job.write(many(3000))
    await show(page, site)
    await page.get_by_role("button", name="First error").click()
    await expect(line(page, "main.c:3:1: error: no such thing")).to_be_in_viewport()
    assert re.search(r"#L300\d$", page.url)


async def test_colours_hold_until_they_are_reset(page: Page, site: RunningSite, job: Job) -> None:
    """Over line ends, and from lines that are not in the page."""
    job.write(b"\x1b[1;32mgreen from here\n" + many(1500) + b"still\x1b[0m plain\n")
    job.write(b"\x1b[38;2;1;2;3mexact\x1b[m \x1b[7minverse\x1b[0m \x1b[4:3mcurly\x1b[0m\n")
    await show(page, site)
    still = line(page, "still plain").locator(".log-text")
    await expect(still.locator("span")).to_have_text("still")
    await expect(still.locator("span")).to_have_class("a-bold a-fg-2")
    exact = page.get_by_text("exact", exact=True)
    await expect(exact).to_have_css("color", "rgb(1, 2, 3)")
    await expect(page.locator(".a-inverse-fg.a-inverse-bg")).to_have_text("inverse")
    await expect(page.locator(".a-underline")).to_have_text("curly")


async def test_text_on_a_background_of_its_own_can_be_read(
    tabs: Tabs, site: RunningSite, job: Job
) -> None:
    """In light and dark: where a job gives no foreground, it is black or white."""
    job.write(b"\x1b[48;2;0;80;0mon dark\x1b[0m \x1b[48;5;231mon light\x1b[0m\n")
    for dark in (False, True):
        page = await tabs.open(dark=dark)
        await show(page, site)
        for text, colour in (("on dark", "rgb(255, 255, 255)"), ("on light", "rgb(0, 0, 0)")):
            await expect(page.get_by_text(text, exact=True)).to_have_css("color", colour)


async def test_what_a_job_prints_does_nothing(page: Page, site: RunningSite, job: Job) -> None:
    """Markup is shown as it is; what a terminal would obey is left out."""
    job.write(b"<script>alert(1)</script><img src=x onerror=alert(2)>\n")
    job.write(
        b"\x1b]0;title\x07\x1b[2Ktidy\x00\x1b]8;;javascript:alert(3)\x1b\\link\x1b]8;;\x1b\\\n"
    )
    await show(page, site)
    await expect(
        line(page, "<script>alert(1)</script><img src=x onerror=alert(2)>")
    ).to_be_in_viewport()
    await expect(line(page, "tidylink")).to_be_in_viewport()
    await expect(page.locator(".log-text :is(a, img, script)")).to_have_count(0)


async def test_progress_bars_overwrite_themselves(page: Page, site: RunningSite, job: Job) -> None:
    """Of a line with returns in it, what a terminal would show: while it changes, too."""
    await show(page, site)
    job.write("  0%\r 50%")
    await expect(line(page, " 50%")).to_be_in_viewport()
    job.write("\r100%")
    await expect(line(page, "100%")).to_be_in_viewport()
    job.write("\r100% done\n")
    await expect(line(page, "100% done")).to_be_in_viewport()
    await expect(page.get_by_text("50%")).to_have_count(0)


async def test_a_line_of_a_megabyte_is_shown_in_part(
    page: Page, site: RunningSite, job: Job
) -> None:
    """With how much is missing, and where it is; the lines after it are not far away."""
    job.write(b"x" * 1_000_000 + b"\nafter it\n")
    await show(page, site)
    await expect(line(page, "after it")).to_be_in_viewport()
    left = page.get_by_role("link", name="bytes of this line are not shown")
    await expect(left).to_have_attribute("href", f"/api/v1/jobs/{job.id}/log")
    await expect(left).to_have_text(re.compile("^… 983,61. bytes of this line are not shown$"))
    await expect(left).to_be_in_viewport()
    await page.get_by_role("checkbox", name="Wrap").uncheck()
    await expect(left).to_be_in_viewport()


async def test_long_lines_are_wrapped_or_not_as_one_likes(
    page: Page, site: RunningSite, job: Job
) -> None:
    """The browser remembers it."""
    job.write(f"{'word ' * 200}\nshort\n")
    await show(page, site)
    long = page.locator(".log-line").filter(has_text="word word")
    wrapped = await long.bounding_box()
    assert wrapped is not None
    assert wrapped["height"] > 40
    await page.get_by_label("Wrap").uncheck()
    await expect(long).to_have_css("height", "20px")
    await page.reload()
    await expect(long).to_have_css("height", "20px")


async def test_times_of_lines_are_shown_as_far_as_they_are_known(
    page: Page, site: RunningSite, job: Job
) -> None:
    """Of what the engine has written, and of what has come since one looks on."""
    job.write("before anybody looked\n")
    await show(page, site)
    await page.get_by_label("Times of lines").select_option("elapsed")
    await expect(page.locator(".log-status")).to_contain_text("live")
    own = page.locator(".log-line").filter(has_text=re.compile(r"^\d+\+?[\d:]*20\d\d-")).first
    await expect(own.locator(".log-time")).to_have_text(re.compile(r"^\+\d:\d\d$"))
    before = line(page, "before anybody looked").locator(".log-time")
    await expect(before).to_be_empty()
    job.write("while we look\n")
    await expect(line(page, "while we look").locator(".log-time")).to_have_text(
        re.compile(r"\+\d:\d\d")
    )


async def test_the_log_can_be_read_by_the_keyboard(page: Page, site: RunningSite, job: Job) -> None:
    """Keys hold while the log has the focus."""
    job.write(many())
    view = await show(page, site)
    await expect(line(page, f"line {MANY}")).to_be_in_viewport()
    await view.focus()
    await page.keyboard.press("g")
    await expect(number(page, 1)).to_be_in_viewport()
    await page.keyboard.press("PageDown")
    await expect(number(page, 1)).not_to_be_in_viewport()
    await page.keyboard.press("G")
    await expect(line(page, f"line {MANY}")).to_be_in_viewport()
    await page.keyboard.press("/")
    await page.keyboard.type("line 555")
    await page.keyboard.press("Enter")
    await expect(page.locator(".log-count")).to_have_text("1 of 11")
    await page.keyboard.press("Escape")
    await expect(view).to_be_focused()


async def test_a_job_that_fails_shows_why_without_reloading(
    page: Page, site: RunningSite, writers: Writers, job: Job
) -> None:
    """The failure, the result and what can be done come; the log stays as it was."""
    await show(page, site)
    job.write("a line\n")
    await expect(line(page, "a line")).to_be_in_viewport()
    writers.end("a", "it has rained in")
    await expect(page.locator("[data-part=job-head] .message")).to_have_text("it has rained in")
    await expect(line(page, "a line")).to_be_in_viewport()


async def test_the_page_of_a_stage_follows_its_job(
    page: Page, site: RunningSite, writers: Writers, job: Job
) -> None:
    """Its state, its failure and its health come without reloading."""
    (stage,) = site.service.stages_with()
    await page.goto(site.url + stage_url(stage.path))
    await expect(page.locator("h1 + .badge")).to_have_text("running")
    assert job.id in str(await page.get_by_role("link", name="Its job").get_attribute("href"))
    writers.end("a", "it has rained in")
    await expect(page.locator("[data-part=stage-failure] .message")).to_have_text(
        "it has rained in"
    )
    await expect(page.locator("[data-part=stage-health] .state")).to_have_text("new")


async def test_cancelling_is_seen_at_once(page: Page, site: RunningSite, job: Job) -> None:
    """The page stays; the log says by whom."""
    await show(page, site)
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.locator("h1 + .badge")).to_have_text("cancelled")
    await expect(page.locator("[data-part=notice]")).to_contain_text("is being cancelled")
    await expect(page.locator(".log-text").get_by_text("Cancelling: by")).to_be_visible()
    await expect(page.get_by_role("button", name="Cancel")).to_have_count(0)


async def test_the_job_of_an_engine_that_was_killed_leads_to_the_one_that_does_its_work(
    page: Page, writers: Writers, tmp_path: Path
) -> None:
    """The page is left open meanwhile: it says what has become of the job by itself."""
    async with running_site(writers.pipeline, tmp_path / "state") as site:
        old = await writers.job("a")
        old.write("half of it\n")
        await show(page, site)
        await expect(line(page, "half of it")).to_be_in_viewport()
        port = int(site.url.rsplit(":", 1)[1])
    later = Writers(("a",))
    settings = WebSettings(port=port, access=FOR_ALL)
    async with running_site(later.pipeline, tmp_path / "state", settings=settings):
        await later.job("a")
        await expect(page.locator("h1 + .badge")).to_have_text("interrupted")
        await expect(line(page, "half of it")).to_be_in_viewport()
        await page.get_by_role("link", name="a newer job").click()
        await expect(page.locator("h1 + .badge")).to_have_text("running")
        assert old.id not in page.url


async def test_rebuilding_leads_to_the_new_job(
    page: Page, site: RunningSite, writers: Writers, job: Job
) -> None:
    """Its page has the old one in the history."""
    writers.end("a")
    await show(page, site)
    await expect(page.locator("h1 + .badge")).to_have_text("ok")
    await page.get_by_role("button", name="Rebuild").click()
    await expect(page.locator("h1 + .badge")).to_have_text("running")
    assert job.id not in page.url
    await expect(
        page.locator("[data-part=job-history]").get_by_role("link", name="#0")
    ).to_be_visible()


async def test_without_scripts_the_end_of_the_log_is_there(
    tabs: Tabs, site: RunningSite, job: Job
) -> None:
    """With a link to all of it."""
    job.write(many())
    page = await tabs.open(javascript=False)
    await page.goto(f"{site.url}/job/{job.id}")
    await expect(page.locator("pre.log")).to_contain_text(f"line {MANY}")
    raw = page.get_by_role("link", name="Raw")
    await expect(raw).to_have_attribute("href", f"/api/v1/jobs/{job.id}/log")


async def test_a_log_that_is_gone_is_said_to_be(
    page: Page, site: RunningSite, tabs: Tabs, writers: Writers, job: Job
) -> None:
    """The rest of the page is there all the same."""
    job.write(b"more than a row holds\n")
    writers.end("a")
    tabs.faults.expect("404")
    await page.goto(f"{site.url}/job/{job.id}")
    await expect(page.locator("h1 + .badge")).to_have_text("ok")
    site.service.logs.source(job.id).path.unlink()
    await page.reload()
    await expect(page.get_by_text("The log has been removed.")).to_be_visible()
