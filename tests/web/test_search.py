"""The search: page, API, and the keys that lead there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

import pycurrent as current
from pycurrent.engine import Level
from pycurrent.service import Service
from pycurrent.testing import Harness

from .browser import Tabs
from .sites import running_site
from .visits import confirm_dangerous, open_site, text_of

pytestmark = pytest.mark.asyncio(loop_scope="session")


@current.builder("check", level=Level.HARMLESS)
async def check(job: current.Job, key: str) -> str:
    """Fails for what is bad."""
    if "bad" in key:
        job.write(b"error: no such header foo_bar.h\n")
        raise current.Failure(f"{key}: make exited with status 2")
    return key


@current.builder("deploy", level=Level.DANGEROUS)
async def deploy(job: current.Job, key: str) -> str:
    """Waits for approval."""
    return key


def pipeline() -> current.Current[Any]:
    """Stages with labels, a job that fails and one that waits, and an input."""
    head = current.Var("head of Main", "3f2a1c9d").get()
    with current.labels(branch="feature/login-100%", commit="3f2a1c9d8e7f"):
        good = check("good", name="unit tests")
        bad = check("bad")
    shops = current.constant(["north shop", "south shop"]).list_map(check)
    return current.all([good, bad, deploy("site"), head, shops])


FOUND = {
    "unit TESTS": {"stages": 1},
    "login-100%": {"stages": 2, "labels": 1},
    "login_100%": {},
    "3f2a": {"stages": 2, "labels": 1, "changes": 1},
    "foo_bar.h": {"failures": 1},
    "foo%bar": {},
    "deploy site": {"stages": 1, "active": 1},
    "exited with": {"jobs": 1, "failures": 1},
    "head of main": {"stages": 1, "changes": 1},
    "SHOP": {"items": 2, "stages": 2, "jobs": 2},
    "nothing like it": {},
}


async def test_the_api_finds_what_people_look_for(tmp_path: Path) -> None:
    """In any case, and signs of patterns stand for themselves."""
    async with open_site(tmp_path, pipeline, config=confirm_dangerous()) as site:
        client = site.client()
        for text, wanted in FOUND.items():
            answer = (await client.get("/api/v1/search", params={"q": text})).json()
            found = {kind: len(answer[kind]) for kind in answer if answer[kind]}
            assert (text, found) == (text, wanted)
        job = site.harness.engine.history(ok=False)[0].job_id
        by_id = (await client.get("/api/v1/search", params={"q": job[-6:]})).json()
        assert [one["id"] for one in by_id["jobs"]] == [job]
        few = (await client.get("/api/v1/search", params={"q": "3f2a", "limit": 1})).json()
        assert len(few["stages"]) == 1
        for wrong in ("", "x", "x" * 201):
            answer = await client.get("/api/v1/search", params={"q": wrong})
            assert answer.status_code == 422


async def test_the_page_lists_what_was_found(tmp_path: Path) -> None:
    """With links to the pages of each; it says when nothing holds a text."""
    async with open_site(tmp_path, pipeline, config=confirm_dangerous()) as site:
        visitor = site.visitor()
        page = await visitor.get("/search?q=3f2a")
        assert "branch=feature/login-100%" in text_of(page)
        assert 'href="/changes/' in page.text
        job = site.harness.engine.history(ok=False)[0].job_id
        page = await visitor.get("/search?q=foo_bar.h")
        assert f'href="/job/{job}">bad: make exited with status 2</a>' in page.text
        assert "Nothing holds “<b>”." in text_of(await visitor.get("/search?q=%3Cb%3E"))
        assert "Two letters at least" in text_of(await visitor.get("/search?q=x"))
        assert "Nothing" not in text_of(await visitor.get("/search")).partition("Search")[2]


def many() -> current.Current[Any]:
    """3,000 stages."""
    return current.constant(range(3000)).list_map(
        lambda number: current.component("add", lambda a: a, number)
    )


async def test_a_large_pipeline_is_searched_while_the_loop_goes_on(tmp_path: Path) -> None:
    """All of it, although that takes several turns."""
    made: list[Service] = []
    harness = Harness(many, state_dir=tmp_path)
    harness.engine.on_open(lambda opened: made.append(Service(opened)))
    async with harness as h:
        await h.settle()
        found = await made[0].search("2999", limit=10)
        assert [stage.path for stage in found.stages] == ["2999/add"]
        assert (await made[0].search("no such", limit=10)).is_empty


async def test_a_key_opens_the_search_over_each_page(tabs: Tabs, tmp_path: Path) -> None:
    """By keys alone: type, choose with the arrows, open; Escape leads back to where one was."""
    async with running_site(pipeline, tmp_path / "state") as site:
        page = await tabs.open()
        await page.goto(f"{site.url}/jobs")
        await page.locator(".nav a", has_text="History").focus()
        await page.keyboard.press("Control+k")
        await page.keyboard.type("feature/login")
        matches = page.locator("dialog .finder-matches li")
        await expect(matches.first).to_contain_text("unit tests")
        await page.keyboard.press("Escape")
        await expect(page.locator("dialog")).to_be_hidden()
        await expect(page.locator(".nav a", has_text="History")).to_be_focused()
        await page.keyboard.press("Control+k")
        assert await page.evaluate("getSelection().toString()") == "feature/login"
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("ArrowDown")
        await expect(matches.nth(1).locator("a").first).to_be_focused()
        await page.keyboard.press("ArrowUp")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/stage?path=check%20good*")


async def test_letters_typed_at_a_match_go_on_in_the_text(tabs: Tabs, tmp_path: Path) -> None:
    """Enter in the text opens the first match, and the answer to the last text is shown."""
    async with running_site(pipeline, tmp_path / "state") as site:
        page = await tabs.open()
        await page.goto(f"{site.url}/history")
        await page.locator("[data-search]").click()
        await page.keyboard.type("deploy")
        first = page.locator("dialog .finder-matches li a").first
        await expect(first).to_have_text("deploy site")
        await page.keyboard.press("ArrowDown")
        await page.keyboard.type("x")
        await expect(page.locator("dialog input")).to_be_focused()
        await expect(page.locator("dialog .empty")).to_contain_text("Nothing holds “deployx”")
        await page.keyboard.press("Backspace")
        await expect(first).to_have_text("deploy site")
        await page.locator("dialog input").focus()
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/stage?path=deploy%20site")


async def test_no_match_of_a_site_that_does_not_answer_stays(tabs: Tabs, tmp_path: Path) -> None:
    """The search says so, and asks again at the next letter."""
    async with running_site(pipeline, tmp_path / "state") as site:
        page = await tabs.open()
        await page.goto(f"{site.url}/jobs")
        await page.keyboard.press("Control+k")
        tabs.faults.expect("net::ERR_FAILED")
        await page.route("**/search?*", lambda route: route.abort())
        await page.keyboard.type("deploy")
        await expect(page.locator("dialog [role=status]")).to_contain_text("does not answer")
        await page.unroute("**/search?*")
        await page.keyboard.type(" site")
        await expect(page.locator("dialog .finder-matches a").first).to_have_text("deploy site")


async def test_on_the_page_of_the_search_the_key_selects_the_text(
    tabs: Tabs, tmp_path: Path
) -> None:
    """The page is the same search, and also works without scripts."""
    async with running_site(pipeline, tmp_path / "state") as site:
        page = await tabs.open()
        await page.goto(f"{site.url}/search?q=unit+tests")
        await page.locator("main li a").first.wait_for()
        await page.keyboard.press("Control+k")
        assert await page.evaluate("getSelection().toString()") == "unit tests"
        assert await page.locator("dialog").count() == 0
