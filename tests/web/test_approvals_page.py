"""The page of what waits for a person: what it is about, and how it is decided."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

import pycurrent as current
from pycurrent.engine import Level
from pycurrent.term import Current, Var
from pycurrent.web.users import Role

from .test_approvals import A, settings
from .test_approvals import pipeline as untrusted
from .visits import Reply, Site, Visitor, open_site, text_of


@current.builder("release", level=Level.DANGEROUS)
async def release(job: current.Job, version: str, place: str) -> str:
    return f"{version} {place}"


class Releases:
    """A version is released at two places; each release waits for a person."""

    def __init__(self) -> None:
        self.version = Var("version", "v1")

    def pipeline(self) -> Current[Any]:
        version = self.version.get()
        with current.labels(repo="web"):
            return current.all([release(version, place=place) for place in ("north", "south")])


@pytest.fixture
def releases() -> Releases:
    return Releases()


@pytest_asyncio.fixture
async def site(tmp_path: Path, releases: Releases) -> AsyncIterator[Site]:
    async with open_site(tmp_path, releases.pipeline) as opened:
        yield opened


async def decide(visitor: Visitor, text: str, **fields: str) -> str:
    """Press the first button with a text; gives what the page says then."""
    page = (await visitor.get("/approvals")).text
    for form in re.findall(r"<form[^>]*>.*?</form>", page, re.DOTALL):
        action = re.search(r'action="([^"]+)"', form)
        if action is not None and f">{text}</button>" in form:
            hidden = dict(re.findall(r'type="hidden" name="(back|commit)" value="([^"]*)"', form))
            answer = await visitor.post_and_follow(action[1], **hidden, **fields)
            assert answer.request.url.path == "/approvals"
            return text_of(answer)
    raise AssertionError(f"no button {text}")


async def test_one_approves_after_seeing_what_has_changed(site: Site, releases: Releases) -> None:
    """Old and new, the changes behind it, the stages, the level; each is decided by itself."""
    visitor = site.visitor()
    first = text_of(await visitor.get("/approvals"))
    assert "2 jobs wait for a person" in first
    assert "It has not been run before" in first
    for left in ("1 job waits for a person", "Nothing waits for a person"):
        assert left in await decide(visitor, "Approve", reason="it is time")
        await site.harness.settle()
    releases.version.set("v2")
    await site.harness.settle()
    page = await visitor.get("/approvals")
    text = text_of(page)
    assert "What Before Now" in text
    assert re.search(r"v1 v2 It follows from .*v2", text)
    assert "repo=web" in text
    assert text.count("waits since") == 2
    assert "<details><summary>Decide about" in page.text


async def test_one_rejects_with_a_reason(site: Site) -> None:
    """The reason is in the failure; the other job waits on."""
    visitor = site.visitor()
    said = await decide(visitor, "Reject", reason="not on a Friday")
    assert "is being cancelled" in said
    await site.harness.settle()
    assert (site.harness.stats.failed, site.harness.stats.waiting_for_confirmation) == (1, 1)
    (act,) = [act for act in site.harness.engine.audit() if act.what == "cancel"]
    assert act.reason == "not on a Friday"


@pytest.mark.parametrize(
    ("role", "buttons"),
    [(Role.VIEWER, set[str]()), (Role.BUILDER, {"Reject"}), (Role.ADMIN, {"Approve", "Reject"})],
)
async def test_the_buttons_are_for_those_who_may(site: Site, role: Role, buttons: set[str]) -> None:
    """All others see what waits. The page is in the navigation as long as something does."""
    site.add_user("bob", role)
    bob = site.visitor()
    await bob.log_in("bob")
    page = (await bob.get("/approvals")).text
    main = page.partition("<main")[2]
    assert {*re.findall(r"<button[^>]*>(\w+)</button>", main)} == buttons
    assert 'href="/approvals" aria-current="page">Approvals' in page


async def test_an_untrusted_commit_is_approved_there_too(tmp_path: Path) -> None:
    """The page names it whole; its job is not approved in its place."""
    async with open_site(tmp_path, untrusted, settings=settings(tmp_path)) as site:
        site.add_user("ada", Role.ADMIN)
        ada = site.visitor()
        await ada.log_in("ada")
        assert A in (await ada.get("/approvals")).text
        assert "is approved: its work may begin" in await decide(ada, "Approve this commit")


async def test_nothing_waits(tmp_path: Path) -> None:
    """Then the navigation does not name the page."""
    async with open_site(
        tmp_path, lambda: current.component("ok", Reply().get, current.constant("good"))
    ) as site:
        visitor = site.visitor()
        assert "Nothing waits for a person" in (await visitor.get("/approvals")).text
        assert 'href="/approvals"' not in (await visitor.get("/jobs")).text
