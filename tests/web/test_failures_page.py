"""The page of failures: what fails now, since when, what it blocks, and what can be done."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

import pycurrent as current
from pycurrent.engine import Job, Level
from pycurrent.term import Current

from .visits import Site, Visitor, open_site, text_of


@current.builder("compile", level=Level.HARMLESS)
async def compile_(job: Job, branch: str) -> str:
    """Fails on branches that are bad, with a line that says why."""
    job.write(
        f"compiling {branch}\nfoo.c:{len(branch)}: error: no foo\nmake: *** failed\n".encode()
    )
    if branch.startswith("bad"):
        raise current.Failure(f"make exited with status 2 in {len(branch)} s")
    if branch.startswith("lost"):
        raise current.Failure("the host is gone", kind=current.FailureKind.INFRA)
    return branch


@current.builder("pack", level=Level.HARMLESS)
async def pack(job: Job, built: str) -> str:
    return built


def pipeline() -> Current[Any]:
    """Two branches fail alike, one because of its host; behind each are two stages."""

    def ci(branch: Current[str]) -> Current[Any]:
        return pack(pack(compile_(branch), name="twice"), name="again")

    with current.labels(repo="web"):
        return current.constant(["main", "bad1", "bad22", "lost"]).list_map(ci)


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(tmp_path, pipeline) as opened:
        yield opened


@pytest.fixture
def visitor(site: Site) -> Visitor:
    return site.visitor()


async def test_what_fails_now_is_told_with_what_it_blocks(site: Site) -> None:
    """The last failure first, with the lines of its log, its kind, and the stages behind it."""
    found = {one.stage.path: one for one in await site.service.failing(limit=10)}
    assert sorted(found) == ["bad1/compile", "bad22/compile", "lost/compile"]
    assert {path: one.behind for path, one in found.items()} == dict.fromkeys(found, 2)
    assert "foo.c:4: error: no foo" in found["bad1/compile"].lines
    assert found["lost/compile"].kind == "infra"
    assert found["bad1/compile"].fingerprint == found["bad22/compile"].fingerprint
    assert len(await site.service.failing(limit=2)) == 2


async def test_causes_say_how_many_stages_fail_so_now(visitor: Visitor) -> None:
    """With the error lines, and how many are blocked by them."""
    text = text_of(await visitor.get("/failures"))
    assert "foo.c:5: error: no foo" in text
    assert "2 stages, 4 blocked" in text
    assert "1 stage, 2 blocked" in text
    assert "Rebuild 2 Mute Rule" in text


async def test_failures_are_grouped_by_item_and_by_kind(visitor: Visitor) -> None:
    """Each with its health, and those alike."""
    page = await visitor.get("/failures?by=item")
    assert "3 stages fail now" in text_of(page)
    assert re.findall(r'<a href="/items\?path=(\w+)">\w+</a></h2>', page.text) == [
        *re.findall(r'aria-label="Stages that fail: (\w+)"', page.text)
    ]
    assert "2 stages fail alike" in text_of(page)
    assert "new since" in text_of(page)
    kinds = text_of(await visitor.get("/failures?by=kind"))
    assert "real 2 stages Rebuild 2 jobs" in kinds
    assert "infra 1 stage Rebuild 1 job" in kinds


@pytest.mark.parametrize(
    ("query", "stages"),
    [
        ("path=bad1%2F*", ["bad1"]),
        ("label=repo%3Dweb&kind=infra", ["lost"]),
        ("label=repo%3Dapi", []),
        ("since=1h", ["bad1", "bad22", "lost"]),
        ("fingerprint=0000000000", []),
    ],
)
@pytest.mark.parametrize("by", ["", "item"])
async def test_failures_are_filtered_by_place_and_kind(
    visitor: Visitor, by: str, query: str, stages: list[str]
) -> None:
    """However they are grouped. A cause names all stages that have failed so."""
    page = await visitor.get(f"/failures?by={by}&{query}")
    named = {*re.findall(r'href="/items\?path=(\w+)">', page.text)}
    assert named == {*stages, *({"bad22"} if by == "" and stages == ["bad1"] else ())}
    assert ("No failure matches" in page.text) is not bool(stages)


async def test_failures_of_a_kind_are_rebuilt_by_one_button(site: Site, visitor: Visitor) -> None:
    """It names how many they are, and leads back to the same grouping."""
    page = await visitor.get("/failures?by=kind")
    form = re.search(r'action="/history/rebuild">(.*?)</form>', page.text, re.DOTALL)
    assert form is not None
    jobs = re.findall(r'name="job" value="([^"]+)"', form[1])
    assert len(jobs) == 2
    page = await visitor.post_and_follow("/history/rebuild", job=jobs, back="/failures?by=kind")
    assert "2 jobs to be rebuilt" in text_of(page)
    assert page.request.url.path == "/failures"
    await site.harness.settle()
    assert len(site.harness.history("compile")) == 6


async def test_a_cause_leads_to_a_rule_that_finds_it(site: Site, visitor: Visitor) -> None:
    """The pattern matches the line whatever its numbers are; trying it says how often."""
    page = await visitor.get("/failures?kind=real")
    link = re.search(r'href="(/rules\?[^"]+)"', page.text)
    assert link is not None
    page = await visitor.get(link[1].replace("&amp;", "&"))
    assert r">foo\.c:\d+: error: no foo</textarea>" in page.text
    tried = await visitor.post(
        "/rules/try", pattern=r"foo\.c:\d+: error: no foo", report="no foo", score="1"
    )
    assert "It matches 3 of the last 3 failures" in text_of(tried)


async def test_the_api_lists_what_fails_now(site: Site) -> None:
    """With the lines that tell why, and what they block; filtered as failures are."""
    client = site.client()
    answer = (await client.get("/api/v1/failing")).json()
    assert answer["complete"] is True
    found = {one["stage"]: one for one in answer["stages"]}
    assert sorted(found) == ["bad1/compile", "bad22/compile", "lost/compile"]
    one = found["bad1/compile"]
    assert (one["kind"], one["behind"], one["attempts"]) == ("real", 2, 1)
    assert one["labels"] == {"repo": "web"}
    assert "foo.c:4: error: no foo" in one["lines"]
    assert one["health"]["state"] == "new"
    for query, paths in (
        ("kind=infra", ["lost/compile"]),
        (f"fingerprint={one['fingerprint']}", ["bad1/compile", "bad22/compile"]),
        ("path=bad1/*", ["bad1/compile"]),
        ("label=repo!=web", []),
        ("since=2126-01-01T00:00:00Z", []),
    ):
        answer = (await client.get(f"/api/v1/failing?{query}")).json()
        assert sorted(one["stage"] for one in answer["stages"]) == paths, query
    few = (await client.get("/api/v1/failing?limit=1")).json()
    assert (len(few["stages"]), few["complete"]) == (1, False)
