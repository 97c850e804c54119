"""The refs of repositories by GraphQL, as an App reads them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from pycurrent import Active, Current, Failure, FailureKind, Ok
from pycurrent.plugins.forge.sweep import SWEEP
from pycurrent.plugins.forge.values import Change, Ref, Repository, Tag
from pycurrent.plugins.github import App
from pycurrent.plugins.github.heads import _APART, _AT_ONCE
from pycurrent.testing import Harness

from ..forge.model import out_of_order, sha
from . import graph
from .conftest import World


async def listed(world: World) -> dict[str, Repository]:
    return {one.path: one for one in await world.api.repositories()}


def installed(world: World, count: int) -> None:
    """So many repositories more at octo."""
    for number in range(count):
        world.github.homes[world.github.add(f"octo/lib{number:03}").path] = 7


async def test_reads_that_begin_together_are_one_query(world: World) -> None:
    """Of one installation, as many as one point pays for; one alone has the labels with it."""
    installed(world, 40)
    known = await listed(world)
    told = await asyncio.gather(*map(world.api.refs, known.values()))
    assert [[ref.key for ref in refs] for refs in told] == [["main"]] * 42
    assert {ref.repository for refs in told for ref in refs} == set(known.values())
    assert sorted(price.requests for price in world.github.prices) == [8 * 3, 33 * 3, 103]
    assert [price.points for price in world.github.prices] == [1, 1, 1]


async def test_what_has_pages_is_read_to_the_end(world: World) -> None:
    """Their next pages share queries, too; nothing is read twice."""
    world.github.page_size = 2
    for path in ("octo/web", "octo/lib"):
        made = world.github.repositories.get(path) or world.github.add(path)
        world.github.homes[path] = 7
        made.branches |= {f"b{number}": sha(number) for number in range(4)}
        made.tags |= {f"v{number}": sha(number) for number in range(3)}
        for number in range(3):
            world.github.open(path, sha(number + 10), labels=("a", "b"))
    known = await listed(world)
    paths = ("octo/web", "octo/lib")
    told = await asyncio.gather(*(world.api.refs(known[path]) for path in paths))
    for refs in told:
        assert len(refs) == len({ref.key for ref in refs}) == 5 + 3 + 3
        assert [ref.labels for ref in refs if isinstance(ref, Change)] == [("a", "b")] * 3
    assert len(world.github.prices) == 3


async def test_queries_begin_no_faster_than_github_takes_them(world: World) -> None:
    """Two are on their way at once; each makes room for the next one after a while."""
    web = (await listed(world))["octo/web"]
    began = asyncio.get_running_loop().time()
    for _ in range(2 * _AT_ONCE + 1):
        await world.api.refs(web)
    assert asyncio.get_running_loop().time() - began >= 2 * _APART - 0.001
    assert len(world.github.prices) == 2 * _AT_ONCE + 1


async def test_labels_are_read_again_when_a_change_was_changed(world: World) -> None:
    """An idle sweep pays nothing for them; alone they come with the refs."""
    for path in ("octo/web", "octo/lib"):
        if path not in world.github.repositories:
            world.github.add(path)
        world.github.homes[path] = 7
        world.github.open(path, sha(2), labels=("old",))
    known = await listed(world)
    both = [known["octo/web"], known["octo/lib"]]

    async def labels() -> tuple[list[tuple[str, ...]], int]:
        before = len(world.github.prices)
        told = await asyncio.gather(*map(world.api.refs, both))
        found = [ref.labels for refs in told for ref in refs if isinstance(ref, Change)]
        return found, len(world.github.prices) - before

    assert await labels() == ([("old",), ("old",)], 2)
    assert await labels() == ([("old",), ("old",)], 1)
    world.github.repositories["octo/web"].changes[1].labels = ("new",)
    assert await labels() == ([("new",), ("old",)], 2)
    both.pop()
    world.github.repositories["octo/web"].changes[1].labels = ("newer",)
    assert await labels() == ([("newer",)], 1)


async def test_an_annotated_tag_leads_to_its_commit(world: World) -> None:
    """Through other tags, too; one that leads to something else is none."""
    made = world.github.repositories["octo/web"]
    made.tags |= {"light": sha(1), "v1": sha(21), "v2": sha(22), "tree": sha(23), "deep": sha(24)}
    once = graph.tag(sha(21), graph.commit(sha(2)))
    tree = {"__typename": "Tree", "oid": sha(9)}
    made.objects |= {sha(21): once, sha(22): graph.tag(sha(22), once), sha(23): tree}
    made.objects[sha(24)] = graph.tag(sha(24), tree)
    found = await world.api.refs((await listed(world))["octo/web"])
    tags = {ref.name: ref.hash for ref in found if isinstance(ref, Tag)}
    assert tags == {"light": sha(1), "v1": sha(2), "v2": sha(2)}


# What can be wrong


async def read(world: World, *those: Repository) -> list[Any]:
    """The refs, or the failure, of each."""
    return await asyncio.gather(*map(world.api.refs, those), return_exceptions=True)


async def test_one_that_is_gone_fails_alone(world: World) -> None:
    """With its name; the others of its query go on."""
    installed(world, 2)
    known = await listed(world)
    del world.github.repositories["octo/lib000"]
    refs, gone, more = await read(
        world, known["octo/lib001"], known["octo/lib000"], known["octo/web"]
    )
    assert len(world.github.prices) == 1
    assert len(refs) == len(more) == 1
    assert isinstance(gone, Failure)
    assert gone.kind is FailureKind.REAL
    assert "octo/lib000" in str(gone)
    assert "lib001" not in str(gone)


async def test_another_repository_under_the_same_name_is_not_taken_for_it(world: World) -> None:
    """One that was renamed, and has a follower: they are told by their ids."""
    known = await listed(world)
    world.github.repositories["octo/web"].id += 1
    (failed,) = await read(world, known["octo/web"])
    assert isinstance(failed, Failure)
    assert "another repository under this name" in str(failed)


@pytest.mark.parametrize(
    ("type", "kind", "said"),
    [
        ("FORBIDDEN", FailureKind.REAL, "does not allow the refs of octo/web.*so it is"),
        ("SERVICE_UNAVAILABLE", FailureKind.INFRA, "the refs of octo/web.*no answer: so it is"),
    ],
)
async def test_an_error_beside_the_data_is_of_its_repository(
    world: World, type: str, kind: FailureKind, said: str
) -> None:
    """One that may pass is asked for alone before it fails."""
    installed(world, 1)
    known = await listed(world)

    def parts(answer: graph.Told) -> graph.Told:
        answer.errors.append({"type": type, "path": ["r1"], "message": "so it is"})
        if answer.price.requests > 100:
            answer.errors[0]["path"] = ["r0", "branches"]
        return answer

    world.github.parts = parts
    refs, failed = sorted(
        await read(world, known["octo/lib000"], known["octo/web"]),
        key=lambda one: isinstance(one, Failure),
    )
    assert len(refs) == 1
    assert isinstance(failed, Failure)
    assert failed.kind is kind


async def test_what_is_hidden_from_us_is_no_error(world: World) -> None:
    """The fork that a change comes from, say."""
    world.github.open("octo/web", sha(2), source=None)

    def parts(answer: graph.Told) -> graph.Told:
        path = ["r0", "changes", "nodes", 0, "headRepository"]
        answer.errors.append({"type": "FORBIDDEN", "path": path, "message": "not yours"})
        return answer

    world.github.parts = parts
    (found,) = await read(world, (await listed(world))["octo/web"])
    assert found[-1].is_from_fork


async def test_a_query_that_is_too_much_is_halved(world: World) -> None:
    """GitHub gives up on it after some seconds; until it answers, or one repository is too much."""
    installed(world, 30)
    known = await listed(world)

    def too_much(answer: graph.Told) -> graph.Told:
        if 30 < answer.price.requests < 100:
            raise web.HTTPBadGateway
        return answer

    world.github.parts = too_much
    found = await read(world, *known.values())
    assert [len(refs) for refs in found if not isinstance(refs, Failure)] == [1] * 32
    requests = sorted(price.requests for price in world.github.prices)
    assert requests == [21, 24, 24, 24, 45, 48, 93, 103]
    world.github.mischief = lambda is_done: out_of_order
    (failed,) = await read(world, known["octo/web"])
    assert isinstance(failed, Failure)
    assert failed.kind is FailureKind.INFRA
    assert "out of order" in str(failed)


@pytest.mark.parametrize("type", ["RATE_LIMITED", "RATE_LIMIT"])
async def test_a_quota_of_points_that_is_used_up_is_waited_for(world: World, type: str) -> None:
    """GitHub says so with status 200."""
    known = await listed(world)
    reset = int(world.clock.now().timestamp()) + 1200
    body = {"errors": [{"type": type, "message": "API rate limit exceeded"}]}
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(reset)}
    world.github.replies.append(lambda _: web.json_response(body, headers=headers))
    asked = asyncio.create_task(world.api.refs(known["octo/web"]))
    async with asyncio.timeout(20):
        while world.clock.next_timer is None:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    assert world.clock.next_timer == world.clock.now() + timedelta(minutes=20)
    world.passes(minutes=20)
    assert len(await asked) == 1


async def test_refs_that_wait_for_the_quota_say_so(world: World, tmp_path: Path) -> None:
    """By the note of their stage, which keeps its value; statuses have a quota of their own."""
    site = App("1234", world.key, url=world.github.url)
    repository = (await listed(world))["octo/web"]
    world.github.now = None

    def pipeline() -> Current[int]:
        return site.refs(repository).map(len)

    def note(h: Harness) -> str:
        return " ".join(one.status.note or "" for one in h.engine.opened.live.stages())

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.until(lambda: h.output == Ok(1), timeout=20)
        body = {"errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]}
        h.clock.move(SWEEP - timedelta(seconds=1))
        reset = str(int(h.clock.now().timestamp()) + 1201)
        headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
        world.github.replies.append(lambda _: web.json_response(body, headers=headers))
        h.clock.move(timedelta(seconds=1))
        await h.until(lambda: "waits for the limit of requests" in note(h), timeout=20)
        assert h.output == Ok(1)
        assert "until 00:30:00 UTC; last synced" in note(h)
        h.clock.move(timedelta(minutes=20))
        await h.until(lambda: "waits" not in note(h), timeout=20)


@pytest.mark.parametrize(
    "body", [[], {"data": []}, {"data": {"r0": {}}}, {"data": {"r0": []}}, {"data": None}, 3]
)
async def test_strange_answers_are_infrastructure(world: World, body: Any) -> None:
    """A proxy's, say."""
    known = await listed(world)
    world.github.replies.append(lambda _: web.json_response(body))
    (failed,) = await read(world, known["octo/web"])
    assert isinstance(failed, Failure)
    assert failed.kind is FailureKind.INFRA


async def test_a_reader_that_leaves_takes_no_room(world: World) -> None:
    """And one that is closed gives up what it reads."""
    known = await listed(world)
    left = asyncio.create_task(world.api.refs(known["octo/web"]))
    await asyncio.sleep(0)
    left.cancel()
    stayed = asyncio.create_task(world.api.refs(known["octo/web"]))
    assert len(await stayed) == 1
    assert [price.requests for price in world.github.prices] == [103]
    last = asyncio.create_task(world.api.refs(known["octo/web"]))
    await asyncio.sleep(0)
    await world.api.aclose()
    with pytest.raises(asyncio.CancelledError):
        await last


# The quota


async def test_idle_repositories_cost_little_of_the_quota(world: World, tmp_path: Path) -> None:
    """Of a thousand with twenty refs each an hour is at most a tenth of 5,000 points. Some of them
    are tried here.
    """
    installed(world, 64)
    for made in world.github.repositories.values():
        made.branches |= {f"b{number:02}": sha(number) for number in range(14)}
        world.github.homes[made.path] = 7
        for number in range(5):
            world.github.open(made.path, sha(number + 50), labels=("a",))
    site = App("1234", world.key, url=world.github.url)

    def count(repository: Current[Repository]) -> Current[int]:
        refs: Current[tuple[Ref, ...]] = site.refs(repository)
        return refs.map(len)

    def pipeline() -> Current[int]:
        return site.repositories().list_map(count, key=str).map(sum)

    world.github.now, prices = None, world.github.prices
    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.until(lambda: not isinstance(h.output, Active), timeout=60)
        assert h.output == Ok(66 * 20)
        assert sum(price.points for price in prices) <= 10  # The labels of 330 pull requests, too.
        prices.clear()
        for sweep in range(1, 7):
            h.clock.move(SWEEP)
            await h.until(lambda: len(prices) >= 2 * sweep and h.engine.idle, timeout=60)  # noqa: B023
    assert [price.points for price in prices] == [1] * 2 * 6
    assert 1000 / 66 * len(prices) <= 500
