"""Views that people save by a name: in the menu of each page, and in the search over it."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from .axe import require_axe, violations
from .browser import Tabs
from .sites import running_site
from .visits import Visitor, open_site, pipeline

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def save(page: Page, name: str) -> None:
    """Save the view that the page shows."""
    await page.locator(".views summary").click()
    await page.get_by_label("Name of the view").fill(name)
    await page.keyboard.press("Enter")
    await expect(page.locator(".views [role=status]")).to_have_text(
        f"Saved in this browser: {name}"
    )


async def test_a_view_is_found_again_by_its_name(tabs: Tabs, tmp_path: Path) -> None:
    """With its filters, in the menu of another page and in the search; until it is removed."""
    async with running_site(pipeline, tmp_path) as site:
        page = await tabs.open()
        await page.goto(f"{site.url}/history?op=reply&ok=false")
        await save(page, "Failed replies")
        await page.goto(f"{site.url}/jobs")
        await page.keyboard.press("Control+k")
        await page.keyboard.type("failed rep")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/history?op=reply&ok=false")
        await page.goto(f"{site.url}/jobs")
        await page.locator(".views summary").click()
        await page.locator(".views a", has_text="Failed replies").click()
        await page.wait_for_url("**/history?op=reply&ok=false")
        await page.locator(".views summary").click()
        await page.get_by_role("button", name="Remove the view Failed replies").click()
        await expect(page.locator(".views a", has_text="Failed replies")).to_have_count(0)
        await page.reload()
        await expect(page.locator("[data-saved-views] a")).to_have_count(0)


async def test_a_view_of_the_diagram_has_what_the_reader_chose(tabs: Tabs, tmp_path: Path) -> None:
    """And one that is saved by the same name takes its place; other tabs list it at once."""
    async with running_site(pipeline, tmp_path) as site:
        page = await tabs.open()
        await page.goto(f"{site.url}/?view=table")
        await page.locator("[role=table]").wait_for()
        other = await page.context.new_page()
        await other.goto(f"{site.url}/history")
        await save(page, "mine")
        await page.keyboard.press("Escape")
        await page.locator("body").press("3")
        await expect(page).to_have_url(f"{site.url}/?view=failures")
        await save(page, "mine")
        await expect(other.locator("[data-saved-views] a")).to_have_attribute(
            "href", "/?view=failures"
        )


async def test_what_others_have_written_is_no_view(tabs: Tabs, tmp_path: Path) -> None:
    """Neither addresses of other sites and scripts, nor what can't be read."""
    wrong = (
        '[{"name": "a", "address": "//evil.example"}, {"name": "b", "address": "javascript:x"},'
        ' {"name": "c", "address": "/jobs"}, null, 3]'
    )
    async with running_site(pipeline, tmp_path) as site:
        page = await tabs.open()
        for text, count in ((wrong, 1), ("{", 0), ("3", 0)):
            await page.goto(f"{site.url}/jobs")
            await page.evaluate(
                "t => localStorage.setItem(`pycurrent-views:${document.body.dataset.user}`, t)",
                text,
            )
            await page.reload()
            await page.locator(".views summary").click()
            await expect(page.locator("[data-saved-views] a")).to_have_count(count)


async def test_the_menu_has_no_fault_that_axe_finds(tabs: Tabs, tmp_path: Path) -> None:
    """Nor does it lead out of a small window."""
    axe = require_axe()
    async with running_site(pipeline, tmp_path) as site:
        for width, dark in ((1280, False), (390, True), (320, False)):
            page = await tabs.open(width=width, dark=dark)
            await page.goto(f"{site.url}/history")
            await save(page, "Failed replies of the last week, by whomever")
            assert await violations(page, axe) == []
            assert await page.evaluate("() => document.documentElement.scrollWidth") <= width
            box = await page.locator(".views .menu-panel").bounding_box()
            assert box is not None
            assert box["x"] >= 0


async def test_without_scripts_there_is_no_menu_of_saved_views(tmp_path: Path) -> None:
    """But that of one's own, for those who have logged in."""
    async with open_site(tmp_path) as site:
        page = await site.visitor().get("/jobs")
        assert 'href="/failures?by=item&amp;who=me"' in page.text
        assert "data-saved-views hidden" in page.text
        stranger = await Visitor(site.stranger()).get("/login")
        assert "who=me" not in stranger.text
