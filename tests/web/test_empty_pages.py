"""Each page says in words what there is if there is nothing, if the pipeline could not be made, or
if what was asked for does not exist; and where to go from there.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from fastapi.routing import APIRoute
from playwright.async_api import Route, expect

import pycurrent as current

from .browser import Tabs
from .sites import running_site
from .visits import Site, open_site, text_of

EMPTY = {
    "/": "This pipeline has no stages",
    "/?state=failed": "No stage matches. Show all",
    "/approvals": "Nothing waits for a person",
    "/audit": "Nobody has asked for anything yet",
    "/audit?who=ann": "No act matches. Show all",
    "/changes": "Nothing has changed yet",
    "/changes?input=x": "No change matches. Show all",
    "/docs": "GET /api/v1/overview",
    "/failures": "No job has failed yet",
    "/failures?by=item": "Nothing fails now. What has failed before",
    "/failures?path=x": "No failure matches. Show all",
    "/failures?who=ann": "No failure matches. Show all",
    "/help": "A pipeline is made of stages",
    "/history": "No job has ended yet. Those at work, and those that wait",
    "/history?op=x": "No job matches. Show all",
    "/history/rebuild-matching": "0 jobs of the history match",
    "/inputs": "Nothing is paused",
    "/jobs": "Nothing is at work, and nothing waits. What has been done",
    "/jobs?path=x": "No job that has not ended matches",
    "/mutes": "Nothing is muted. To mute a failure, fill in the form",
    "/pauses": "Nothing is paused. What waits, and for what",
    "/pools": "No job has used a pool since the start",
    "/retention": "The pipeline has no rules of retention",
    "/retention/next": "Nothing would be removed now",
    "/rules": "There are no rules yet. Add a rule",
    "/search": "Items, stages, labels",
    "/search?q=x1": "Nothing holds “x1”",
    "/timeline": "No job has been run yet",
    "/timeline?path=x": "No job matches. Show all",
}
"""By address: a part of what the page says."""

JOB = "/job/2026-01-01/120000-check-123456"
MISSING = {
    "/changes/99": "no change has the number 99",
    "/files/x/y": "no stage whose path begins 'x/y' has a good result",
    "/items": "the address names no item",
    "/items?path=x": "no stage is or was below 'x'",
    "/items?label=a&value=b": "no stage is or was labelled a=b",
    JOB: "does not exist, or not any more",
    f"{JOB}/compare": "does not exist, or not any more",
    f"{JOB}/coverage": "does not exist, or not any more",
    f"{JOB}/files": "does not exist, or not any more",
    f"{JOB}/files/1": "",
    f"{JOB}/files/1/a/b": "",
    f"{JOB}/tests": "does not exist, or not any more",
    "/nothing": "Nothing has this address, or not any more",
    "/page/x": "page 'x' does not exist",
    "/stage?path=x": "no stage has or had the path 'x'",
    "/timeline?change=99": "no change has the number 99",
}
"""By address: a part of what the page of the error says; any if it is empty."""

OTHERS = {"/favicon.ico", "/robots.txt", "/login", "/rules.csv", "/metrics", "/healthz", "/readyz"}
"""What is for programs, or for those who have not logged in."""


def empty() -> current.Current[Any]:
    """No stages, and so no jobs."""
    return current.constant(1)


def raising() -> current.Current[Any]:
    raise ValueError("there is no branch main")


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(tmp_path, empty) as opened:
        yield opened


async def test_each_page_of_an_empty_site_says_what_it_is_for(site: Site) -> None:
    """Or that nothing matches, with a link to all of it."""
    visitor = site.visitor()
    for path, said in EMPTY.items():
        page = await visitor.get(path)
        assert (path, page.status_code) == (path, 200)
        main = re.sub(r"(?s)<(script|template).*?</\1>", "", page.text.partition("<main")[2])
        assert said in re.sub(r"\s+", " ", text_of_html(main)), path


async def test_each_page_of_what_is_not_there_says_so(site: Site) -> None:
    """In words, with ways to go on."""
    visitor = site.visitor()
    for path, said in MISSING.items():
        page = await visitor.get(path)
        text = text_of(page)
        assert (path, page.status_code) == (path, 404)
        assert said in text, path
        assert "To the pipeline Search History" in text, path


async def test_each_page_is_among_these(site: Site) -> None:
    """One that is added has to say what it is when it is empty, too."""
    known = [path.partition("?")[0] for path in (*EMPTY, *MISSING, *OTHERS)]
    left = set[str]()
    for route in site.app.routes:
        if not isinstance(route, APIRoute) or route.include_in_schema:
            continue
        if "GET" not in (route.methods or ()):
            continue
        if route.path.startswith(("/api", "/badge", "/content", "/login/")):
            continue
        if not any(route.path_regex.match(path) for path in known):
            left.add(route.path)
    assert left == set()


async def test_a_pipeline_that_raises_is_told_on_its_page(tmp_path: Path) -> None:
    """With the reason, and what to do; the other pages work."""
    async with open_site(tmp_path, raising) as site:
        visitor = site.visitor()
        text = text_of(await visitor.get("/"))
        assert "The pipeline has failed as a whole" in text
        assert "there is no branch main" in text.partition("as a whole")[2]
        assert "Mend it, and start the engine again" in text
        for path in EMPTY:
            assert (await visitor.get(path)).status_code == 200, path


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize(
    ("make", "said"), [(empty, "This pipeline has no stages"), (raising, "there is no branch main")]
)
async def test_the_diagram_of_nothing_is_told_in_words(
    tabs: Tabs, tmp_path: Path, make: Any, said: str
) -> None:
    """Not drawn as an empty picture alone."""
    async with running_site(make, tmp_path) as site:
        page = await tabs.open()
        await page.goto(site.url)
        await page.locator("[data-version]").wait_for()
        await expect(page.locator("main")).to_contain_text(said)


@pytest.mark.asyncio(loop_scope="session")
async def test_a_pipeline_that_is_read_slowly_says_so(tabs: Tabs, tmp_path: Path) -> None:
    """Until it has come; one that can't be read says why, and is tried again."""
    async with running_site(empty, tmp_path) as site:
        page = await tabs.open()
        note = page.locator(".pipeline-note")
        held: list[Route] = []

        async def hold(route: Route) -> None:
            held.append(route)

        await page.route("**/api/v1/pipeline?*", hold)
        await page.goto(site.url)
        await expect(note).to_have_text("Reading the pipeline …")
        tabs.faults.expect("net::ERR_FAILED")
        await held[0].abort()
        await expect(note).to_contain_text("The pipeline can't be read")
        await page.unroute("**/api/v1/pipeline?*")
        await expect(note).to_be_empty()


def text_of_html(html: str) -> str:
    """The text of a part of a page, without its tags."""
    return re.sub(r"<[^>]*>", " ", html)
