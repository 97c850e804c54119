"""The changes from outside, and the audit: pages, API, and command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pycurrent as current
from pycurrent.cli.client.status import ClientExit
from pycurrent.engine import Level
from pycurrent.web.pages import audit, changes

from ..cli.test_client import Client
from .sites import running_site
from .visits import Site, open_site, text_of


@current.builder("check", level=Level.HARMLESS)
async def check(job: current.Job, key: str) -> str:
    """Fails for what is bad."""
    if "bad" in key:
        raise current.Failure(f"{key} can't be")
    return key


def on(web: current.Var[str], docs: current.Var[str]) -> Callable[[], current.Current[Any]]:
    """A pipeline with a job for each of two inputs, one of them with a label."""

    def pipeline() -> current.Current[Any]:
        with current.labels(repo="web"):
            labelled = check(web.get())
        return current.all([labelled, check(docs.get(), name="docs")])

    return pipeline


async def test_the_feed_says_what_came_in_and_what_it_has_started(tmp_path: Path) -> None:
    """The newest first, with links; the page of a change has its jobs and how they ended."""
    web, docs = current.Var("web", "1"), current.Var("docs", "a")
    async with open_site(tmp_path, on(web, docs)) as site:
        visitor = site.visitor()
        web.set("bad <b>")
        await site.harness.settle()
        page = await visitor.get("/changes")
        text = text_of(page)
        assert "web: 1 → bad <b> an input 1" in text
        assert text.index("web: 1 → bad") < text.index("docs: a")
        assert "<b>" not in page.text.replace("<b>1</b>", "").split("<main")[1].split("table")[1]
        one = text_of(await visitor.get("/changes/3"))
        assert "Before 1 After bad <b>" in one
        assert "failed check bad <b> in check bad <b> can't be" in one
        assert (await visitor.get("/changes/99")).status_code == 404
        assert (await visitor.get("/changes/x")).status_code == 422


QUERIES = {
    "": ["web: 1 → 2", "docs: a", "web: 1"],
    "input=web": ["web: 1 → 2", "web: 1"],
    "input=none": [],
    "kind=input&limit=1": ["web: 1 → 2"],
    "kind=person": [],
    "before=3": ["docs: a", "web: 1"],
    "by=ada": [],
    "label=repo=web": ["web: 1 → 2", "web: 1"],
    "label=repo!=web": ["docs: a"],
    "path=check (docs)": ["docs: a"],
    "path=chec*&label=repo=web&before=3": ["web: 1"],
    "since=2100-01-01T00:00:00Z": [],
    "until=2000-01-01T00:00:00Z": [],
}


async def test_the_api_finds_changes(tmp_path: Path) -> None:
    """By kind, input, person, time, and by the stages whose jobs follow from them."""
    web, docs = current.Var("web", "1"), current.Var("docs", "a")
    async with open_site(tmp_path, on(web, docs)) as site:
        web.set("2")
        await site.harness.settle()
        client = site.client()
        for query, summaries in QUERIES.items():
            answer = await client.get(f"/api/v1/changes?{query}")
            found = [change["summary"] for change in answer.json()["changes"]]
            assert (query, found) == (query, summaries)
        first = (await client.get("/api/v1/changes?limit=2")).json()
        assert first["next"] == 2
        assert (await client.get("/api/v1/changes?limit=3")).json()["next"] is None
        followed = (await client.get("/api/v1/changes/3")).json()
        assert followed["change"]["jobs"] == 1
        assert [job["key"] for job in followed["jobs"]] == ["2"]
        for wrong, status in (("changes/99", 404), ("changes/0", 422), ("changes?kind=x", 422)):
            assert (await client.get(f"/api/v1/{wrong}")).status_code == status


async def test_pages_of_the_feed_go_on_with_their_filters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the older ones and back; what can't be is left aside."""
    monkeypatch.setattr(changes, "PER_PAGE", 1)
    web, docs = current.Var("web", "1"), current.Var("docs", "a")
    async with open_site(tmp_path, on(web, docs)) as site:
        visitor = site.visitor()
        web.set("2")
        await site.harness.settle()
        first = await visitor.get("/changes?input=web&kind=x&since=y&before=z")
        assert 'href="/changes?kind=x&amp;input=web&amp;since=y&amp;before=3"' in first.text
        assert "docs" not in text_of(first)
        second = await visitor.get("/changes?input=web&before=3")
        assert "web: 1" in text_of(second)
        assert 'rel="next"' not in second.text
        assert 'href="/changes?input=web">Newest' in second.text
        assert "No older changes" in text_of(await visitor.get("/changes?before=1"))
        assert "No change matches" in text_of(await visitor.get("/changes?by=nobody"))


async def acted(site: Site) -> None:
    """Ada has asked for things."""
    for level in (Level.AVERAGE, Level.DANGEROUS):
        site.service.confirmation.set(level, by="ada", reason="a <b>test</b>")
    site.service.jobs.cancel(site.job("reply risky"), by="bob")
    await site.harness.settle()


async def test_the_audit_has_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same filters as its API; jobs are linked to."""
    monkeypatch.setattr(audit, "PER_PAGE", 2)
    async with open_site(tmp_path) as site:
        visitor = site.visitor()
        assert "Nobody has asked" in text_of(await visitor.get("/audit"))
        await acted(site)
        page = await visitor.get("/audit")
        text = text_of(page)
        risky = site.harness.engine.audit()[0].subject
        assert f'href="/job/{risky}">{risky}</a>' in page.text
        assert "set level confirmation" in text
        assert "average → dangerous a <b>test</b>" in text
        assert 'href="/audit?before=2"' in page.text
        older = text_of(await visitor.get("/audit?before=2"))
        assert "dangerous → average" in older
        assert "No act matches" in text_of(await visitor.get("/audit?who=eve&since=1h"))
        assert "bob" not in text_of(await visitor.get("/audit?who=ada")).partition("Why")[2]


async def test_the_command_line_lists_changes(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """And the jobs of one; a number and a filter together are a mistake."""
    web, docs = current.Var("web", "1"), current.Var("docs", "a")
    async with running_site(on(web, docs), tmp_path / "state") as site:
        client = Client(site, capsysbinary)
        await site.engine.settled()
        listed = await client("changes", "--label", "repo=web")
        assert listed.out.endswith("      1 job  web: 1\n")
        more = await client("changes", "--limit", "1")
        assert more.err == "there are more: --before 2\n"
        one = await client("changes", "2")
        assert one.out.splitlines()[1].endswith("check a  [check (docs)]")
        wrong = await client("changes", "2", "--input", "web")
        assert (wrong.status, wrong.out) == (ClientExit.USAGE, "")
        assert "leave the filters out" in wrong.err
