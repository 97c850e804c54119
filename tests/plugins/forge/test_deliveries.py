"""Webhooks, and the commands in them."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from time import perf_counter

import pytest

import pycurrent as current
from pycurrent import Active, Current, Ok
from pycurrent.engine.site_links import SiteLinks
from pycurrent.plugins.forge import Forge, Ref, Repository
from pycurrent.plugins.forge.values import Permission
from pycurrent.service.routes import RouteAnswer, RouteRequest
from pycurrent.testing import Harness

from .conftest import World
from .model import FakeChange, out_of_order, sha
from .test_forge import known, names

Start = Callable[..., Harness]


async def deliver(h: Harness, forge: Forge, headers: dict[str, str], body: bytes) -> RouteAnswer:
    """Bring a delivery to the route, as the site does."""
    route = forge.webhook()
    request = RouteRequest(
        method="POST",
        path=route.path,
        params={},
        query={},
        headers=headers,
        body=body,
        user=None,
        engine=h.engine,
    )
    return await route.handler(request)


async def test_a_delivery_has_its_repository_read_again(world: World, start: Start) -> None:
    """At once, without a sweep; the others are left alone."""
    made = world.forge.add("octo/web")
    world.forge.add("octo/lib")
    async with start(lambda: names(world.author)) as h:
        await known(h)
        made.branches["dev"] = sha(2)
        before = len(world.forge.requests)
        answer = await deliver(h, world.author, *world.forge.deliver("push", "octo/web"))
        assert answer.status == 202
        expected = Ok([["octo/lib main"], ["octo/web dev", "octo/web main"]])
        await h.until(lambda: h.output == expected, timeout=20)
        assert len(world.forge.requests) == before + world.forge.requests_of_refs


async def test_a_delivery_about_a_new_repository_has_the_list_read(
    world: World, start: Start
) -> None:
    """It is one that we did not know."""
    async with start(lambda: names(world.author)) as h:
        await known(h)
        world.forge.add("octo/new")
        await deliver(h, world.author, *world.forge.deliver("push", "octo/new"))
        await h.until(lambda: h.output == Ok([["octo/new main"]]), timeout=20)


async def test_forged_and_repeated_deliveries_ask_for_nothing(world: World, start: Start) -> None:
    """Those who send forged ones learn nothing of why they are refused."""
    world.forge.add("octo/web")
    async with start(lambda: names(world.author)) as h:
        await known(h)
        headers, body = world.forge.deliver("push", "octo/web", id="d-1")
        assert (await deliver(h, world.author, headers, body)).status == 202
        await h.settle()
        await h.until(lambda: h.engine.idle, timeout=20)
        before = len(world.forge.requests)
        assert (await deliver(h, world.author, headers, body)).status == 200
        forged = await deliver(h, world.author, {"x-gitea-signature": "0" * 64}, body)
        assert (forged.status, forged.body) == (403, b"refused")
        await h.settle()
        assert len(world.forge.requests) == before
    async with start(lambda: names(world.author)) as h:
        assert (await deliver(h, world.author, headers, body)).status == 200


async def test_many_deliveries_are_few_reads(world: World, start: Start) -> None:
    """Of a repository one is at work at a time, and nothing is lost."""
    made = world.forge.add("octo/web")
    async with start(lambda: names(world.author)) as h:
        await known(h)
        before = len(world.forge.requests)
        for number in range(500):
            made.branches["main"] = sha(number + 2)
            delivery = world.forge.deliver("push", "octo/web", id=f"d-{number}")
            assert (await deliver(h, world.author, *delivery)).status == 202
        await h.until(lambda: h.engine.idle or h.clock.next_timer is not None, timeout=20)
        assert len(world.forge.requests) - before < 100


async def test_a_job_begins_soon_after_its_delivery(world: World, start: Start) -> None:
    """Within half a second, on a machine that is not busy."""
    made = world.forge.add("octo/web")

    @current.builder("look", level=current.Level.HARMLESS)
    async def look(job: current.Job, hash: str) -> str:
        return hash

    def each(repository: Current[Repository]) -> Current[object]:
        return world.author.each_ref(repository, lambda ref: look(ref.map(lambda one: one.hash)))

    async with start(lambda: world.author.each_repository(each)) as h:
        await known(h)
        times = []
        for number in range(5):
            made.branches["main"] = sha(number + 2)
            began = perf_counter()
            await deliver(h, world.author, *world.forge.deliver("push", "octo/web"))
            await h.until(lambda: h.output == Ok([[sha(number + 2)]]), timeout=20)  # noqa: B023
            times.append(perf_counter() - began)
        assert min(times) < 0.5


async def test_a_move_that_does_not_show_yet_is_read_soon(world: World, start: Start) -> None:
    """The forge has answered from where it had not arrived; a few times, then by the sweep."""
    made = world.forge.add("octo/web")
    told = {"ref": "refs/heads/main", "before": sha(1), "after": sha(2)}
    async with start(lambda: commits(world.author)) as h:
        await known(h)
        await deliver(h, world.author, *world.forge.deliver("push", "octo/web", **told))
        await h.until(lambda: h.engine.idle, timeout=20)
        made.branches["main"] = sha(2)
        h.clock.move(timedelta(seconds=2))
        await h.until(lambda: h.output == Ok([[sha(2)]]), timeout=20)
        await h.until(lambda: h.engine.idle, timeout=20)
        before = len(world.forge.requests)
        h.clock.move(timedelta(seconds=60))
        await h.settle()
        assert len(world.forge.requests) == before


async def test_one_old_answer_does_not_take_a_branch_back(world: World, start: Start) -> None:
    """Two do: somebody has forced it."""
    made = world.forge.add("octo/web")
    async with start(lambda: commits(world.author)) as h:
        await known(h)
        made.branches["main"] = sha(2)
        await deliver(h, world.author, *world.forge.deliver("push", "octo/web"))
        await h.until(lambda: h.output == Ok([[sha(2)]]), timeout=20)
        made.branches["main"], before = sha(1), len(world.forge.requests)
        await deliver(h, world.author, *world.forge.deliver("push", "octo/web"))
        await h.until(lambda: h.engine.idle and len(world.forge.requests) > before, timeout=20)
        assert h.output == Ok([[sha(2)]])
        h.clock.move(timedelta(seconds=2))
        await h.until(lambda: h.output == Ok([[sha(1)]]), timeout=20)


async def test_a_delivery_is_not_lost_by_a_forge_that_is_out_of_order(
    world: World, start: Start
) -> None:
    """It is asked again soon, not only by the sweep."""
    made = world.forge.add("octo/web")
    async with start(lambda: commits(world.author)) as h:
        await known(h)
        made.branches["main"] = sha(2)
        world.forge.mischief = lambda is_done: out_of_order
        await deliver(h, world.author, *world.forge.deliver("push", "octo/web"))
        await h.until(lambda: h.engine.idle, timeout=20)
        h.clock.move(timedelta(seconds=2))
        await h.until(lambda: h.engine.idle, timeout=20)
        world.forge.mischief = lambda is_done: None
        h.clock.move(timedelta(seconds=5))
        await h.until(lambda: h.output == Ok([[sha(2)]]), timeout=20)


def commits(forge: Forge) -> Current[list[list[str]]]:
    """The commit of each ref of each repository."""

    def each(repository: Current[Repository]) -> Current[list[str]]:
        return forge.each_ref(repository, lambda ref: ref.map(lambda one: one.hash))

    return forge.each_repository(each)


@pytest.fixture
def broken() -> Callable[[World], Callable[[], Current[object]]]:
    """A pipeline whose tests fail for each ref."""

    @current.builder("test", level=current.Level.AVERAGE)
    async def test(job: current.Job, hash: str) -> str:
        raise current.Failure("it is broken")

    def make(world: World) -> Callable[[], Current[object]]:
        def tests(ref: Current[Ref]) -> Current[object]:
            return test(ref.map(lambda one: one.hash))

        def each(repository: Current[Repository]) -> Current[object]:
            return world.author.each_ref(repository, tests, branches=None)

        return lambda: world.author.each_repository(each)

    return make


async def ask(
    h: Harness, world: World, change: FakeChange, text: str, author: str = "ann"
) -> tuple[tuple[dict[str, str], bytes], str]:
    """Comment on the change, and wait for the answer; gives the delivery, too."""
    given = {"number": change.number, "author": author, "text": text}
    delivery = world.forge.deliver("comment", "octo/web", **given)
    count = len(change.comments)
    await deliver(h, world.author, *delivery)
    await h.until(lambda: len(change.comments) > count, timeout=20)
    assert change.comments[-1].author == world.forge.us
    return delivery, change.comments[-1].body


Broken = Callable[[World], Callable[[], Current[object]]]


async def test_people_who_may_write_command_by_comments(
    world: World, start: Start, broken: Broken
) -> None:
    """Their name is in the audit, and there is one answer, whatever is delivered again."""
    world.forge.add("octo/web").members["ann"] = Permission.WRITE
    world.forge.person("ann")
    change = world.forge.open("octo/web", sha(2))
    async with start(broken(world)) as h:
        await known(h)
        _, told = await ask(h, world, change, "/why")
        assert "it is broken" in told
        assert "](" not in told
        h.engine.service(SiteLinks).public_url = "https://ci.example.org"
        _, told = await ask(h, world, change, "/why")
        assert "[Stage](https://ci.example.org/stage?path=octo%252Fweb%2F" in told
        assert "[Log](https://ci.example.org/job/" in told
        delivery, told = await ask(h, world, change, "hello\n/rebuild")
        assert "1 is built again" in told
        assert "([log](https://ci.example.org/job/" in told
        await h.until(lambda: len(h.engine.history(op="test")) == 2, timeout=20)
        audit = h.engine.audit(who="ann")
        assert [record.via for record in audit] == [world.author.kind]
    async with start(broken(world)) as h:
        await known(h)
        comments = len(change.comments)
        assert (await deliver(h, world.author, *delivery)).status == 200
        await h.until(lambda: h.engine.idle, timeout=20)
        assert len(change.comments) == comments
        assert len(h.engine.audit(who="ann")) == 1


async def test_others_may_not_command(world: World, start: Start, broken: Broken) -> None:
    """They are told so; nothing is done."""
    world.forge.add("octo/web")
    change = world.forge.open("octo/web", sha(2))
    world.forge.person("eve")
    async with start(broken(world)) as h:
        await known(h)
        _, told = await ask(h, world, change, "/rebuild", "eve")
        assert "is for people who may write to octo/web" in told
        assert h.engine.audit(who="eve") == []


async def test_a_change_of_a_fork_is_let_in_by_its_commit(
    world: World, start: Start, broken: Broken
) -> None:
    """By exactly that one, of which seven digits are enough."""
    world.forge.add("octo/web").members["ann"] = Permission.WRITE
    world.forge.person("ann")
    change = world.forge.open("octo/web", "ab" * 20, author="eve", source=None)
    async with start(broken(world)) as h:
        await h.until(lambda: h.stats.waiting_for_confirmation > 0, timeout=20)
        _, told = await ask(h, world, change, "/ok-to-test")
        assert f"/ok-to-test {'ab' * 6}" in told
        _, told = await ask(h, world, change, "/ok-to-test abababac")
        assert isinstance(h.output, Active)
        _, told = await ask(h, world, change, "/ok-to-test ABABABA")
        assert "may begin" in told
        await h.until(lambda: not isinstance(h.output, Active), timeout=20)
        assert [one.commit for one in h.engine.approvals] == ["ab" * 20]


async def test_a_job_is_cancelled_by_a_comment(world: World, start: Start) -> None:
    """By name."""
    world.forge.add("octo/web").members["ann"] = Permission.WRITE
    world.forge.person("ann")
    change = world.forge.open("octo/web", sha(2))

    @current.builder("wait", level=current.Level.AVERAGE)
    async def wait(job: current.Job, hash: str) -> None:
        await asyncio.Event().wait()

    def each(repository: Current[Repository]) -> Current[object]:
        refs = world.author.each_ref
        return refs(repository, lambda ref: wait(ref.map(lambda one: one.hash)), branches=None)

    async with start(lambda: world.author.each_repository(each)) as h:
        await h.until(lambda: h.stats.running > 0 and len(h.jobs) > 0, timeout=20)
        _, told = await ask(h, world, change, "/cancel")
        assert "1 is cancelled" in told
        await h.until(lambda: "ann" in str(h.output), timeout=20)
