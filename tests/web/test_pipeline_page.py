"""The page of the pipeline, as somebody uses it who keeps it open."""

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, Response, expect

import pycurrent as current
from pycurrent import Current, Failed, Primitive, Var
from pycurrent.testing import Harness
from pycurrent.web.settings import WebSettings

from .api import Tasks
from .browser import Tabs
from .sites import FOR_ALL, RunningSite, running_site
from .writers import Write, Writers, job_of, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

LARGE = 500
WORKS = ("build", "test", "lint", "deploy")


@dataclass(frozen=True)
class Branches:
    """For each branch, which the test sets, a build that it ends; then it is reported."""

    writers: Writers
    names: "Var[list[str]]"

    def pipeline(self) -> Current[Any]:
        fetched = current.component("fetch", Primitive[list[str]].constant, self.names.get())
        built = fetched.list_map(self._each, key=lambda name: name, label="branches")
        return current.component("report", Primitive[list[str]].constant, built)

    def _each(self, name: Current[str]) -> Current[str]:
        built = current.component("build", Write(self.writers).get, name)
        return current.component("publish", Primitive[str].constant, built)


@pytest.fixture
def branches() -> Branches:
    return Branches(Writers(()), Var("names", ["main", "next"]))


@pytest_asyncio.fixture(loop_scope="session")
async def site(branches: Branches, tmp_path: Path) -> AsyncIterator[RunningSite]:
    async with running_site(branches.pipeline, tmp_path / "state") as site:
        yield site


def stages(number: int) -> Callable[[], Current[Any]]:
    """So many branches, each with four stages; every hundredth can't be built."""

    def built(name: str) -> Primitive[str]:
        if name.endswith("07"):
            return Primitive[str].constant(name).map_output(lambda _: Failed("exit status 7"))
        return Primitive[str].constant(name)

    def each(name: Current[str]) -> Current[str]:
        for work in WORKS:
            name = current.component(work, built, name)
        return name

    def pipeline() -> Current[Any]:
        names = current.constant([f"branch-{index:04}" for index in range(number)])
        fetched = current.component("fetch", Primitive[list[str]].constant, names)
        return fetched.list_map(each, key=lambda name: name, label="branches")

    return pipeline


@pytest_asyncio.fixture(loop_scope="session")
async def large(tmp_path: Path) -> AsyncIterator[RunningSite]:
    """2,001 stages."""
    async with running_site(stages(LARGE), tmp_path / "state") as site:
        yield site


async def show(page: Page, site: RunningSite, query: str = "") -> None:
    """Open the page, and wait until it shows the pipeline."""
    await page.goto(f"{site.url}/{query}")
    await expect(page.locator("[data-pipeline][data-version]")).to_be_attached()


def box(page: Page, label: str) -> Locator:
    """The boxes that say so; their names begin with it, and go on with their state."""
    return page.locator(f'.box[aria-label^="{label}:"]')


def closed(page: Page, label: str) -> Locator:
    """A closed container."""
    return page.locator(f'.closed[aria-label^="{label}:"]')


def head(page: Page, label: str) -> Locator:
    """The head of an open container."""
    return page.locator(f'.frame .head[aria-label^="{label}:"]')


def row(page: Page, name: str) -> Locator:
    return page.get_by_role("row").filter(
        has=page.get_by_role("rowheader").get_by_text(name, exact=True)
    )


def view(page: Page, name: str) -> Locator:
    """The button of a view."""
    return page.locator(f'[data-view="{name}"]')


def has(name: str) -> re.Pattern[str]:
    """Matches the class, among others."""
    return re.compile(rf"(^|\s){name}(\s|$)")


async def address_has(page: Page, text: str) -> None:
    await page.wait_for_function("text => location.search.includes(text)", arg=text)


# What is live


async def test_a_stage_changes_its_colour_without_reloading(
    page: Page, site: RunningSite, branches: Branches
) -> None:
    """It runs, then it is ok, and what has waited for it goes on."""
    await branches.writers.job("main")
    await show(page, site)
    build = box(page, "build").first
    await expect(build).to_have_class(has("s-running"))
    branches.writers.end("main")
    await expect(build).to_have_class(has("s-ok"))
    await expect(box(page, "publish").first).to_have_class(has("s-ok"))
    await expect(box(page, "report")).to_have_class(has("s-blocked"))


async def test_the_sign_of_what_runs_turns_in_its_place(
    page: Page, site: RunningSite, branches: Branches
) -> None:
    """About its own centre, wherever in its turn it is."""
    await branches.writers.job("main")
    await page.emulate_media(reduced_motion="no-preference")
    await show(page, site)
    build = box(page, "build").first
    await expect(build).to_have_class(has("s-running"))
    centres = await build.evaluate(CENTRES)
    assert len(centres) == 8
    for centre in centres:
        assert centre == pytest.approx(centres[0], abs=1)
        assert all(0 < part < 30 for part in centre)


CENTRES = """(box) => {
  const sign = box.querySelector(".sign");
  const [turn] = sign.getAnimations();
  turn.pause();
  const face = box.querySelector(".face").getBoundingClientRect();
  return [0, 1, 2, 3, 4, 5, 6, 7].map((eighth) => {
    turn.currentTime = (eighth * turn.effect.getComputedTiming().duration) / 8;
    const { x, y, width, height } = sign.getBoundingClientRect();
    return [x + width / 2 - face.x, y + height / 2 - face.y];
  });
}"""
"""Where the centre of a box's sign is within the box, in pixels, at eight moments of its turn."""


async def test_what_is_done_for_a_new_item_appears(
    page: Page, site: RunningSite, branches: Branches
) -> None:
    """And goes with the item; the page itself stays as it is."""
    await show(page, site)
    await page.evaluate("window.stays = true")
    branches.names.set(["main", "next", "topic"])
    await expect(head(page, "topic")).to_be_visible()
    branches.names.set(["main"])
    await expect(head(page, "topic")).to_have_count(0)
    await expect(head(page, "main")).to_be_visible()
    assert await page.evaluate("window.stays")


async def test_a_table_shows_a_failure_as_it_happens(
    page: Page, site: RunningSite, branches: Branches
) -> None:
    """In the cell of what has failed, with a link to its job."""
    await branches.writers.job("next")
    await show(page, site, "?view=table")
    cell = row(page, "next").locator('[aria-label^="build:"]')
    await expect(cell).to_have_class(has("s-running"))
    branches.writers.end("next", "exit status 2")
    await expect(cell).to_have_class(has("s-failed"))
    await expect(cell).to_have_attribute("href", f"/job/{job_of(site, 'next')}")
    await expect(row(page, "next").locator('[aria-label^="publish:"]')).to_have_class(
        has("s-blocked")
    )


async def test_a_cell_of_the_table_shows_how_long_its_last_run_took(
    page: Page, site: RunningSite, branches: Branches
) -> None:
    """Once that has ended; not where nothing runs."""
    await branches.writers.job("next")
    await show(page, site, "?view=table")
    cells = row(page, "next").locator(".chip")
    build, publish = (
        cells.and_(page.locator(f'[aria-label^="{x}:"]')) for x in ("build", "publish")
    )
    await expect(build).to_have_class(has("s-running"))
    branches.writers.end("next")
    await expect(build.locator(".pace")).to_have_text(re.compile(r"^\d+(\.\d)? s$"))
    await expect(build).to_have_accessible_name(re.compile(r"build: ok, took \d"))
    await expect(publish).to_have_class(has("s-ok"))
    await expect(page.locator(".pace")).to_have_count(1)


async def test_a_cell_says_that_a_run_took_longer_than_usual(page: Page, tmp_path: Path) -> None:
    """By a sign, and in words; the row is no higher for that."""
    value, work, minute = Var("value", "0"), Tasks(), timedelta(minutes=1)

    def pipeline() -> Current[Any]:
        return current.constant(["main"]).list_map(lambda _: work.each(value.get()))

    async with Harness(pipeline, state_dir=tmp_path) as harness:
        for number, minutes in enumerate((1, 1, 1, 5)):
            value.set(str(number))
            await harness.settle()
            await harness.advance(minutes * minute)
            work.end(str(number))
            await harness.settle()
    async with running_site(pipeline, tmp_path) as site:
        await show(page, site, "?view=table")
        chip = page.locator(".chip", has=page.locator(".pace"))
        await expect(chip.locator(".pace")).to_have_text("5 min ▲")
        await expect(chip).to_have_accessible_name(
            re.compile(r"ok, took 5 min, slower than usual \(60 s\)$")
        )
        for part in (chip, chip.locator(".pace")):
            area = await part.bounding_box()
            assert area is not None
            assert area["height"] <= 34


async def test_failures_come_and_go_by_their_message(
    page: Page, site: RunningSite, branches: Branches
) -> None:
    """Those with the same message are said once; with how much they hold up."""
    for name in ("main", "next"):
        await branches.writers.job(name)
    await show(page, site, "?view=failures")
    await expect(page.get_by_text("Nothing has failed.")).to_be_visible()
    for name in ("main", "next"):
        branches.writers.end(name, "the Dockerfile names no base")
    await expect(page.locator(".failures .message")).to_have_text("the Dockerfile names no base")
    await expect(page.get_by_role("heading", name="2 stages")).to_be_visible()
    await expect(page.get_by_text("3 more held up by them")).to_be_visible()
    await expect(view(page, "failures")).to_have_text("Failures 2")


async def test_failures_can_be_rebuilt_together(
    page: Page, site: RunningSite, branches: Branches
) -> None:
    """All that have the same message."""
    for name in ("main", "next"):
        await branches.writers.job(name)
        branches.writers.end(name, "the Dockerfile names no base")
    await show(page, site, "?view=failures")
    await page.get_by_role("button", name="Rebuild all 2").click()
    await expect(page.locator(".pipeline-note")).to_have_text("2 rebuilt")
    for name in ("main", "next"):
        await branches.writers.job(name)
        branches.writers.end(name)
    await expect(page.get_by_text("Nothing has failed.")).to_be_visible()


async def test_a_hover_tells_why_it_failed(
    page: Page, site: RunningSite, branches: Branches
) -> None:
    """The message; and of what is blocked by it, what that is."""
    await branches.writers.job("main")
    branches.writers.end("main", "exit status 2")
    await show(page, site)
    failed = page.locator(".box.s-failed")
    await failed.hover()
    await expect(page.get_by_role("tooltip")).to_contain_text("exit status 2")
    await box(page, "publish").first.hover()
    await expect(page.get_by_role("tooltip")).to_contain_text("held up by")
    await expect(page.get_by_role("tooltip")).to_contain_text("build")


async def test_a_new_engine_is_shown_when_the_old_one_has_gone(
    tabs: Tabs, branches: Branches, tmp_path: Path
) -> None:
    """The page says that it is not connected, and goes on by itself."""
    page = await tabs.open()
    async with running_site(branches.pipeline, tmp_path / "state") as site:
        await show(page, site)
        port = int(site.url.rsplit(":", 1)[1])
    note = page.locator("[data-offline-note]")
    await expect(note).to_have_text(re.compile("^Not connected"))
    branches.names.set(["other"])
    settings = WebSettings(port=port, access=FOR_ALL)
    async with running_site(branches.pipeline, tmp_path / "state", settings=settings):
        await expect(head(page, "other")).to_be_visible()
        await expect(note).to_be_hidden()


# Views, and what is chosen in them


async def test_the_address_keeps_what_was_chosen(page: Page, site: RunningSite) -> None:
    """View and search are there again after a reload."""
    await show(page, site)
    await view(page, "table").click()
    await page.get_by_role("searchbox").fill("main")
    await address_has(page, "view=table")
    await address_has(page, "text=main")
    await page.reload()
    await expect(view(page, "table")).to_have_attribute("aria-pressed", "true")
    await expect(row(page, "main")).to_be_visible()
    await expect(row(page, "next")).to_have_count(0)


async def test_views_are_switched_by_keys(page: Page, site: RunningSite) -> None:
    """And a slash leads to the search."""
    await show(page, site)
    await page.keyboard.press("2")
    await expect(page.get_by_role("table", name="branches")).to_be_visible()
    await page.keyboard.press("3")
    await expect(page.get_by_text("Nothing has failed.")).to_be_visible()
    await page.keyboard.press("1")
    await page.keyboard.press("/")
    await expect(page.get_by_role("searchbox")).to_be_focused()


async def test_a_part_folds_to_a_bar_and_unfolds(page: Page, site: RunningSite) -> None:
    """How it is folded is in the address."""
    await show(page, site)
    await head(page, "branches").click()
    await expect(closed(page, "branches")).to_be_visible()
    await expect(closed(page, "branches")).to_have_attribute("aria-label", re.compile("2 running"))
    await expect(closed(page, "branches").locator(".bar rect")).to_have_count(2)
    await address_has(page, "shut=")
    await page.reload()
    await expect(closed(page, "branches")).to_be_visible()
    await closed(page, "branches").click()
    await expect(head(page, "branches")).to_be_visible()


async def test_all_parts_fold_and_unfold(page: Page, site: RunningSite) -> None:
    """And are as they were at first again."""
    await show(page, site)
    await page.get_by_role("button", name="Close all folds").click()
    await expect(closed(page, "branches")).to_be_visible()
    await closed(page, "branches").click()
    await expect(closed(page, "main")).to_be_visible()
    await page.get_by_role("button", name="Open all folds").click()
    await expect(head(page, "main")).to_be_visible()
    await page.reload()
    await expect(head(page, "main")).to_be_visible()
    await page.get_by_role("button", name="as they were").click()
    assert await page.evaluate("location.search") == ""


async def test_a_box_leads_to_its_job(page: Page, site: RunningSite, branches: Branches) -> None:
    """As a link, so that it can be opened in another tab."""
    await branches.writers.job("main")
    await show(page, site)
    await page.locator(".box.s-running").first.click()
    await page.wait_for_url(re.compile("/job/"))


async def test_a_frame_leads_to_the_page_of_its_item(page: Page, tmp_path: Path) -> None:
    """By the arrow in its head, by a key, and by the name of its row in the table."""

    def ci(name: Current[str]) -> Current[Any]:
        built = current.component("build", lambda a: a, name)
        return current.component("test", lambda a: a, built)

    def pipeline() -> Current[Any]:
        return current.constant(["main", "top/ic"]).list_map(ci)

    async with running_site(pipeline, tmp_path) as site:
        await page.goto(site.url)
        link = page.get_by_role("link", name="The page of top/ic")
        await link.click()
        await page.wait_for_url("**/items?path=top%252Fic")
        await page.go_back()
        await page.locator(".box", has_text="build").first.focus()
        await page.keyboard.press("o")
        await page.wait_for_url("**/items?path=main")
        await page.goto(f"{site.url}/?view=table")
        await page.get_by_role("rowheader", name="main").get_by_role("link").click()
        await page.wait_for_url("**/items?path=main")


async def test_the_diagram_is_walked_by_keys(
    page: Page, site: RunningSite, branches: Branches
) -> None:
    """From box to box by arrows; Enter folds a part, or opens the job."""
    await branches.writers.job("main")
    await show(page, site)
    await head(page, "branches").focus()
    await page.keyboard.press("Enter")
    await expect(closed(page, "branches")).to_be_focused()
    await page.keyboard.press("ArrowLeft")
    await expect(box(page, "fetch")).to_be_focused()
    await page.keyboard.press("End")
    await expect(box(page, "report")).to_be_focused()
    await page.keyboard.press("ArrowLeft")
    await page.keyboard.press(" ")
    await expect(head(page, "branches")).to_be_focused()


async def test_the_zoom_is_kept(page: Page, site: RunningSite) -> None:
    """In the address, too."""
    await show(page, site)
    await page.get_by_role("button", name="Larger").click()
    await address_has(page, "zoom=1.25")
    width = await page.locator(".drawing").evaluate("drawing => drawing.clientWidth")
    await page.reload()
    await expect(box(page, "fetch")).to_be_visible()
    again = await page.locator(".drawing").evaluate("drawing => drawing.clientWidth")
    assert again == width


async def test_a_search_goes_from_match_to_match(page: Page, site: RunningSite) -> None:
    """What does not match is dimmed; what is folded is opened on the way."""
    await show(page, site)
    await head(page, "next").click()
    await page.get_by_role("searchbox").fill("publish")
    await expect(page.get_by_role("status").get_by_text("2 matches")).to_be_visible()
    await expect(box(page, "publish")).to_have_class(has("found"))
    await expect(box(page, "fetch")).not_to_have_class(has("found"))
    await expect(closed(page, "next")).to_have_class(has("found"))
    await page.keyboard.press("Enter")
    await expect(box(page, "publish").first).to_be_focused()
    await page.keyboard.press("n")
    await expect(box(page, "publish").nth(1)).to_be_focused()
    await expect(head(page, "next")).to_be_visible()


async def test_the_counts_above_choose_a_state(
    page: Page, site: RunningSite, branches: Branches
) -> None:
    """Without leaving the page; a second time they don't."""
    await branches.writers.job("main")
    branches.writers.end("main", "exit status 2")
    await show(page, site, "?view=table")
    await page.evaluate("window.stays = true")
    count = page.locator('[data-live="counts"] [data-state="failed"] a')
    await count.click()
    await expect(row(page, "main")).to_be_visible()
    await expect(row(page, "next")).to_have_count(0)
    await address_has(page, "state=failed")
    await count.click()
    await expect(row(page, "next")).to_be_visible()
    assert await page.evaluate("window.stays")


async def test_tables_are_sorted_by_what_needs_attention(page: Page, large: RunningSite) -> None:
    """Failures first; by name when asked."""
    await show(page, large, "?view=table")
    names = page.get_by_role("rowheader")
    await expect(names.first).to_have_text("branch-0007")
    await page.get_by_role("button", name="Item").click()
    await expect(page.get_by_role("columnheader", name="Item")).to_have_attribute(
        "aria-sort", "ascending"
    )
    await expect(row(page, "branch-0000")).to_be_visible()
    await address_has(page, "sort=name")


async def test_a_list_within_a_list_folds_in_the_table(page: Page, tmp_path: Path) -> None:
    """What is below a closed row is summed up in it."""

    def each(name: Current[str]) -> Current[Any]:
        variants = name.map(lambda known: [f"{known}/{variant}" for variant in "ab"])
        return variants.list_map(
            lambda variant: current.component("test", Primitive[str].constant, variant),
            key=lambda variant: variant.rsplit("/")[1],
            label="variants",
        )

    def pipeline() -> Current[Any]:
        names = current.constant(["main", "next"])
        return names.list_map(each, key=lambda name: name, label="branches")

    async with running_site(pipeline, tmp_path / "state") as site:
        await show(page, site, "?view=table")
        toggle = row(page, "main").get_by_role("button")
        await expect(row(page, "a")).to_have_count(2)
        await toggle.click()
        await expect(row(page, "a")).to_have_count(1)
        await expect(row(page, "main").get_by_role("img", name="2 ok")).to_be_visible()
        await toggle.click()
        await expect(row(page, "a")).to_have_count(2)


async def test_a_collapsed_part_is_unfolded(page: Page, tmp_path: Path) -> None:
    """By a click on its box; the address says so."""

    def pipeline() -> Current[Any]:
        source = current.component("source", Primitive[str].constant, current.constant("x"))
        inside = current.component("inside", Primitive[str].constant, source)
        return inside.collapse(key="part", value="one", input=source)

    async with running_site(pipeline, tmp_path / "state") as site:
        await show(page, site)
        await expect(box(page, "inside")).to_have_count(0)
        await box(page, "part").click()
        await expect(box(page, "inside")).to_be_visible()
        await address_has(page, "unfold=part%3Aone")


def folded_failure() -> Current[Any]:
    """A failure that is caught within a folded part."""
    source = current.component("source", Primitive[str].constant, current.constant("x"))
    caught = second(source).catch(hidden=True).ignore()
    return caught.collapse(key="part", value="one", input=source)


async def test_a_folded_part_is_marked_as_failed_in_the_diagram(page: Page, tmp_path: Path) -> None:
    """By a sign and a number on its box, which keeps the state of its value."""
    async with running_site(folded_failure, tmp_path / "state") as site:
        await until(site, lambda: site.engine.stats.failed == 1)
        await show(page, site)
        fold = box(page, "part")
        await expect(fold).to_have_class(re.compile("s-ok"))
        await expect(fold).to_have_attribute("aria-label", "part: one: ok, 1 failed inside")
        await expect(fold.locator(".failed-inside")).to_have_text("1")
        await fold.hover()
        card = page.locator("#pipeline-card")
        await expect(card).to_contain_text("1 failed inside")
        await expect(card).to_contain_text("the second fails")
        note = page.locator(".hidden-failures")
        await expect(note).to_contain_text("1 stage has failed in parts that are folded")
        await expect(page.get_by_role("button", name="Failures 1")).to_be_visible()
        await note.get_by_role("button", name="Unfold").click()
        await expect(note).to_be_hidden()
        await address_has(page, "unfold=all")


async def test_tables_and_failures_show_what_is_in_folded_parts(page: Page, tmp_path: Path) -> None:
    """The diagram stays folded."""
    async with running_site(folded_failure, tmp_path / "state") as site:
        await until(site, lambda: site.engine.stats.failed == 1)
        await show(page, site)
        tabs = page.locator(".view-tabs")
        await tabs.get_by_role("button", name="Table").click()
        await expect(row(page, "second x")).to_contain_text("failed")
        await tabs.get_by_role("button", name="Failures").click()
        await expect(page.locator(".failures .card")).to_contain_text("second")
        await expect(page.locator(".hidden-failures")).to_be_hidden()
        await tabs.get_by_role("button", name="Diagram").click()
        await expect(box(page, "part")).to_be_visible()
        await expect(box(page, "second x")).to_have_count(0)


async def test_a_table_of_folded_items_has_a_column_for_each_component(
    page: Page, tmp_path: Path
) -> None:
    """As that of a list without `collapse_key`."""

    def pipeline() -> Current[Any]:
        return current.constant(["one", "two"]).list_iter(
            lambda item: second(first(item)), collapse_key="item"
        )

    async with running_site(pipeline, tmp_path / "state") as site:
        await show(page, site, "?view=table")
        heads = page.get_by_role("columnheader")
        await expect(heads).to_have_text(["Item", "first", "second"])


async def test_the_next_failure_is_the_failed_cell_of_its_row(page: Page, tmp_path: Path) -> None:
    """Enter opens the job that has failed, not the first of its row."""

    def pipeline() -> Current[Any]:
        return current.constant(["one"]).list_iter(
            lambda item: second(first(item)), key=lambda item: item
        )

    async with running_site(pipeline, tmp_path / "state") as site:
        await until(site, lambda: site.engine.stats.failed == 1)
        await show(page, site)
        await page.locator(".view-tabs").get_by_role("button", name="Table").click()
        await page.keyboard.press("n")
        focused = page.locator(":focus")
        await expect(focused).to_have_attribute("aria-label", re.compile("second.*: failed"))
        await page.keyboard.press("Enter")
        await expect(page.locator("main")).to_contain_text("the second fails")


@current.builder("first", level=current.Level.HARMLESS)
async def first(job: current.Job, item: str) -> str:
    return item


@current.builder("second", level=current.Level.HARMLESS)
async def second(job: current.Job, item: str) -> None:
    raise current.Failure("the second fails")


# Large ones


async def test_a_large_pipeline_is_folded_at_first(page: Page, large: RunningSite) -> None:
    """To a few boxes; what is in the largest is seen at a glance."""
    await show(page, large)
    assert await page.locator(".box, .closed, .frame").count() == 2
    folded = closed(page, "branches")
    await expect(folded).to_have_attribute("aria-label", re.compile("5 failed"))
    await expect(folded.locator(".mosaic .s-failed")).to_be_visible()


async def test_a_large_list_is_opened(page: Page, large: RunningSite) -> None:
    """Its items are closed, with bars of their states, and can be opened one by one."""
    await show(page, large)
    await page.keyboard.press("Tab")
    await closed(page, "branches").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator(".closed")).to_have_count(LARGE)
    await closed(page, "branch-0007").click()
    await expect(box(page, "build")).to_have_class(has("s-failed"))
    await page.reload()
    await expect(box(page, "build")).to_have_class(has("s-failed"))


async def test_a_large_table_has_only_what_is_seen(page: Page, large: RunningSite) -> None:
    """Rows come into the page as it is scrolled."""
    await show(page, large, "?view=table&sort=name")
    await expect(row(page, "branch-0000")).to_be_visible()
    assert await page.get_by_role("row").count() < 60
    table = page.get_by_role("table", name="branches")
    await expect(table).to_have_attribute("aria-rowcount", str(LARGE + 1))
    await page.locator(".matrix").evaluate("place => place.scrollTop = 300 * 34")
    await expect(row(page, "branch-0303")).to_be_visible()
    await expect(row(page, "branch-0000")).to_have_count(0)


@pytest_asyncio.fixture(loop_scope="session")
async def huge(tmp_path: Path) -> AsyncIterator[RunningSite]:
    """4,401 stages: more boxes than are sent at once."""
    async with running_site(stages(1100), tmp_path / "state") as site:
        yield site


async def test_what_a_huge_list_hides_is_sent_when_it_is_opened(
    page: Page, huge: RunningSite
) -> None:
    """By the mouse or the keyboard, range by range; the address opens it again."""
    sent: list[int] = []
    page.on("response", lambda answer: sent.append(answer.status) if is_diagram(answer) else None)
    await show(page, huge)
    assert await page.locator(".closed").count() == 3
    part = closed(page, "501–1000")  # noqa: RUF001
    await expect(part).to_have_attribute("aria-label", re.compile("5 failed, 15 blocked, 1,980 ok"))
    assert len(sent) == 1
    await part.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator(".closed")).to_have_count(502)
    assert len(sent) == 2
    await closed(page, "branch-0507").click()
    await expect(box(page, "build")).to_have_class(has("s-failed"))
    await page.reload()
    await expect(box(page, "build")).to_have_class(has("s-failed"))
    await page.get_by_role("button", name="Reset").click()
    await expect(page.locator(".closed")).to_have_count(3)


async def test_tables_and_failures_lead_into_closed_lists(page: Page, huge: RunningSite) -> None:
    """A row for each, which opens it; and the failures that it hides."""
    await show(page, huge, "?view=failures")
    await page.get_by_role("button", name=re.compile("^Open 1–500")).click()  # noqa: RUF001
    await expect(page.locator(".failed-stages").get_by_text("build", exact=True)).to_have_count(5)
    await view(page, "table").click()
    await expect(row(page, "501–1000")).to_be_visible()  # noqa: RUF001


def is_diagram(answer: Response) -> bool:
    return "/api/v1/pipeline" in answer.url


async def test_columns_are_what_is_done_for_each_item(page: Page, large: RunningSite) -> None:
    """By their labels, without the names of the items."""
    await show(page, large, "?view=table")
    table = page.get_by_role("table", name="branches")
    heads = await table.get_by_role("columnheader").all_inner_texts()
    assert [head.strip() for head in heads] == ["Item", *WORKS]


async def test_alike_stages_that_no_list_makes_are_stacked(page: Page, tmp_path: Path) -> None:
    """A loop of the pipeline's author is a wall of boxes otherwise."""

    def pipeline() -> Current[Any]:
        source = current.component("source", Primitive[str].constant, current.constant("x"))
        works = [
            current.component(f"package-{index}", Primitive[str].constant, source)
            for index in range(200)
        ]
        return current.component("index", Primitive[list[str]].constant, current.seq(works))

    async with running_site(pipeline, tmp_path / "state") as site:
        await show(page, site)
        await expect(closed(page, "package …")).to_have_attribute(
            "aria-label", re.compile("200 ok")
        )
        assert await page.locator(".box text").all_text_contents() == ["source", "index"]


async def test_nothing_stands_on_something_else(page: Page, site: RunningSite) -> None:
    """Whatever the sizes and edges, and however many parts: each has a place of its own, and all
    are within the area that the layout says it takes.
    """
    await show(page, site)
    assert await page.evaluate(OVERLAPS) == []


OVERLAPS = """async () => {
  const { Layouts } = await import("/static/js/pipeline/layout.js");
  let seed = 7;
  const random = (below) => (seed = (seed * 48271) % 2147483647) % below;
  const wrong = [];
  for (const [parts, edges] of [[1, 0], [9, 0], [9, 12], [60, 80], [120, 40], [400, 700]]) {
    const sizes = Array.from({ length: parts }, () => ({ w: 20 + random(200), h: 8 + random(90) }));
    const pairs = new Map();
    while (pairs.size < edges) {
      const [one, other] = [random(parts), random(parts)];
      if (one !== other) pairs.set(`${one} ${other}`, [one, other]);
    }
    const { w, h, at, lines } = new Layouts().plan(sizes, [...pairs.values()]);
    const areas = at.map(({ x, y }, index) => ({ x, y, ...sizes[index] }));
    const near = 0.01;
    areas.forEach((one, index) => {
      const isIn = one.x >= -near && one.y >= -near;
      if (!isIn || one.x + one.w > w + near || one.y + one.h > h + near) {
        wrong.push(`${index} of ${parts} is outside`);
      }
      areas.slice(index + 1).forEach((other) => {
        const apart =
          one.x + one.w <= other.x + near || other.x + other.w <= one.x + near ||
          one.y + one.h <= other.y + near || other.y + other.h <= one.y + near;
        if (!apart) wrong.push(`${index} of ${parts} is on another one`);
      });
    });
    if (lines.length !== edges) wrong.push(`${lines.length} lines of ${edges}`);
  }
  return wrong;
}"""
"""Tries layouts of parts and edges that are drawn by lot; gives what is wrong with them."""


# What must not happen


async def test_labels_are_only_text(page: Page, tmp_path: Path) -> None:
    """A label with markup in it is harmless in all views."""
    bad = "<img src=x onerror=alert(1)>"

    def fails(name: str) -> Primitive[str]:
        return Primitive[str].constant(name).map_output(lambda _: Failed(bad))

    def pipeline() -> Current[Any]:
        names = current.constant([bad])
        return names.list_map(lambda name: current.component(bad, fails, name), label=bad)

    async with running_site(pipeline, tmp_path / "state") as site:
        for name in ("diagram", "table", "failures"):
            await show(page, site, f"?view={name}")
            await expect(page.get_by_text(bad).first).to_be_attached()
        assert await page.locator("img[src=x]").count() == 0


async def test_what_was_opened_is_open_after_a_restart_of_the_engine(
    page: Page, tmp_path: Path
) -> None:
    """By the same address: parts, rows, and lists that the server sends closed."""
    query = ""
    for _ in range(2):
        async with running_site(stages(1100), tmp_path / "state") as site:
            await show(page, site, query)
            if not query:
                await closed(page, "501–1000").click()  # noqa: RUF001
                await closed(page, "branch-0507").click()
            await expect(box(page, "build")).to_have_class(has("s-failed"))
            query = await page.evaluate("location.search")
    ids = await page.evaluate("new URLSearchParams(location.search).getAll('open')")
    assert ids == ["%list:branches/%range:branch-0500", "%list:branches/%item:branch-0507"]


@pytest.mark.parametrize(
    "query", ["", "?unfold=version:3", "?open=%25list:branches", "?view=table", "?state=failed"]
)
async def test_the_pipeline_is_sent_once(page: Page, site: RunningSite, query: str) -> None:
    """The page has it sent along with the scripts only as they will ask for it."""
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url) if "/pipeline?" in one.url else None)
    await show(page, site, query)
    assert len(asked) == 1


async def test_a_box_says_that_people_hold_it(page: Page, tmp_path: Path) -> None:
    """By a mark, as soon as they do, and in the table; its card says who, and why."""
    replicas = current.Input("replicas", 2)
    async with running_site(replicas.get, tmp_path / "state") as site:
        await show(page, site)
        mark = box(page, "replicas").locator(".hold[href='#sign-pinned']")
        await expect(mark).to_have_count(0)
        site.engine.pin("replicas", by="ann", reason="a freeze")
        await expect(mark).to_be_visible()
        await expect(page.locator('.box[aria-label="replicas: ok, pinned"]')).to_be_visible()
        await box(page, "replicas").hover()
        await expect(page.get_by_text("pinned at 2 by ann: a freeze")).to_be_visible()
        site.engine.unpin("replicas", by="ann")
        await expect(mark).to_have_count(0)
