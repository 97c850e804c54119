"""What is one's own, among failures and approvals: by changes, by labels, and by approvals."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio

import pycurrent as current
from pycurrent.engine import Job, Level
from pycurrent.web.settings import WebSettings
from pycurrent.web.users import Role

from .visits import Site, Visitor, access, confirm_dangerous, open_site, text_of


@current.builder("check", level=Level.HARMLESS)
async def check(job: Job, branch: str, rules: str) -> str:
    """Fails by strict rules."""
    if rules == "strict" and branch == "main":
        raise current.Failure("it is not strict")
    if branch == "topic":
        raise current.Failure("it never is")
    return branch


@current.builder("release", level=Level.DANGEROUS)
async def release(job: Job, version: str) -> str:
    """Waits for approval, and fails."""
    raise current.Failure(f"no place for {version}")


def pipeline() -> current.Current[Any]:
    """Rules and versions that people set, and a branch of Cleo's."""
    rules = current.Input("rules", "lenient").get()
    version = current.Input("version", "1.0").get()
    main = check("main", rules)
    with current.labels(author="Cleo Carr", branch="topic"):
        topic = check("topic", "lenient")
    return current.all([main, topic, release(version)])


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """Ann has set the rules, which has broken main; the version waits for an approval."""
    async with open_site(tmp_path, pipeline, config=confirm_dangerous()) as opened:
        for name in ("ann", "bob"):
            opened.add_user(name, Role.ADMIN)
        opened.harness.engine.set_input("rules", "strict", by="ann")
        opened.harness.engine.set_input("version", "2.0", by="bob")
        await opened.harness.settle()
        yield opened


async def logged_in(site: Site, name: str) -> Visitor:
    visitor = site.visitor()
    await visitor.log_in(name)
    return visitor


async def failing(visitor: Visitor, who: str) -> set[str]:
    """The stages whose failures the page has."""
    page = await visitor.get("/failures", params={"by": "kind", "who": who})
    links = re.findall(r"/stage\?path=(?:check%20)?([a-z]+)", page.text.partition("<main")[2])
    return set(links)


async def test_a_failure_is_of_those_who_changed_wrote_or_approved_it(site: Site) -> None:
    """By whatever name the site or the forge knows them, in any case."""
    ann, bob = await logged_in(site, "ann"), await logged_in(site, "bob")
    assert await failing(ann, "me") == {"main"}
    assert await failing(bob, "me") == set()
    assert await failing(bob, "ANN") == {"main"}
    assert await failing(bob, "cleo carr") == {"topic"}
    (job,) = [one.id for one in site.service.confirmation.show(limit=5).waiting]
    await ann.get(f"/job/{job}")
    await ann.post_and_follow(f"/job/{job}/approve")
    await site.harness.settle()
    assert await failing(bob, "me") == {"release"}
    assert await failing(ann, "me") == {"main", "release"}


async def test_mine_are_the_approvals_that_follow_from_my_changes(site: Site) -> None:
    """For others the page says how many more there are."""
    ann, bob = await logged_in(site, "ann"), await logged_in(site, "bob")
    assert "Decide about release" in text_of(await bob.get("/approvals?who=me"))
    text = text_of(await ann.get("/approvals?who=me"))
    assert "Decide about release" not in text
    assert "None of these wait for a person, but 1 other job does: show all" in text


async def test_a_stranger_has_nothing_but_may_name_an_author(tmp_path: Path) -> None:
    """The page says so, and shows what fails now, as the records do not say whose it is."""
    settings = WebSettings(access=access(tmp_path, allow_anonymous=Role.VIEWER))
    async with open_site(tmp_path, pipeline, settings=settings) as site:
        stranger = Visitor(site.stranger())
        assert "log in to see what is yours" in text_of(await stranger.get("/failures?who=me"))
        page = text_of(await stranger.get("/failures?who=Cleo+Carr"))
        assert "Only those of cleo carr" in page
        assert "it never is" in page
