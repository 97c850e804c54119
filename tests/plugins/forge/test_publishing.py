"""Statuses and comments."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest

import pycurrent as current
from pycurrent import Active, Activity, Current, Failed, FailureKind, Ok, Output, UsageError, Var
from pycurrent.engine.site_links import SiteLinks
from pycurrent.plugins.forge import Ref, Repository
from pycurrent.plugins.forge.values import Verdict
from pycurrent.plugins.forge.verdicts import status_of
from pycurrent.testing import Harness

from .conftest import World
from .model import Reply, hang_up, limited, sha
from .test_forge import swept

Start = Callable[..., Harness]


def shows(world: World, path: str, hash: str) -> list[str]:
    """The states of a commit, in the forge's words."""
    return [state for _, state in world.forge.said(path, hash)]


def is_set(request: str) -> bool:
    """Whether a request sets a status."""
    return request.startswith("POST") and "/statuses/" in request


def with_status(world: World, result: Current[object]) -> Callable[[], Current[object]]:
    """A pipeline that shows a result on each ref."""

    def each(repository: Current[Repository]) -> Current[object]:
        return world.author.each_ref(
            repository, lambda ref: world.author.status(ref, "ci", result, url="https://ci.example")
        )

    return lambda: world.author.each_repository(each)


@pytest.mark.parametrize(
    ("output", "verdict", "description"),
    [
        (Ok(1), Verdict.SUCCESS, "ok"),
        (Failed("\nno such file\nmore"), Verdict.FAILURE, "no such file"),
        (Failed("too slow", kind=FailureKind.TIMEOUT), Verdict.FAILURE, "too slow"),
        (Failed("disk full", kind=FailureKind.INFRA), Verdict.ERROR, "disk full"),
        (
            Failed("Cancelled: by ann", kind=FailureKind.CANCELLED),
            Verdict.CANCELLED,
            "Cancelled: by ann",
        ),
        (Active(Activity.RUNNING), Verdict.RUNNING, "running"),
        (Active(Activity.READY), Verdict.PENDING, "waits"),
        (Active(Activity.WAITING_FOR_CONFIRMATION), Verdict.PENDING, "waits for confirmation"),
    ],
)
def test_an_output_is_a_verdict(output: Output[int], verdict: Verdict, description: str) -> None:
    """The infrastructure's failures are not the commit's."""
    status = status_of("ci", None, output)
    assert (status.verdict, status.description) == (verdict, description)


async def test_a_status_follows_the_result(world: World, start: Start) -> None:
    """Each state is said once, also after a restart."""
    world.forge.add("octo/web")
    result = Var[int]("result", Active(Activity.RUNNING))
    pipeline = with_status(world, result.get())
    async with start(pipeline) as h:
        await h.until(lambda: h.output == Ok([[None]]), timeout=20)
        first = shows(world, "octo/web", sha(1))
        result.set(1)
        await h.until(lambda: len(shows(world, "octo/web", sha(1))) + len(first) > 1, timeout=20)
        await h.until(lambda: shows(world, "octo/web", sha(1))[-1] == "success", timeout=20)
        await h.until(lambda: h.output == Ok([[None]]), timeout=20)
    posted = [one for one in world.forge.requests if is_set(one)]
    assert len(posted) == 2
    async with start(pipeline) as h:
        await h.until(lambda: h.output == Ok([[None]]), timeout=20)
    assert [one for one in world.forge.requests if is_set(one)] == posted


async def test_a_status_leads_to_the_page_of_its_stage(world: World, start: Start) -> None:
    """If nobody says otherwise, and the site has told where people reach it."""
    made = world.forge.add("octo/web")
    result = Var[int]("result", Active(Activity.RUNNING))

    def each(repository: Current[Repository]) -> Current[object]:
        return world.author.each_ref(
            repository, lambda ref: world.author.status(ref, "ci", result.get())
        )

    async with start(lambda: world.author.each_repository(each)) as h:
        await h.until(lambda: h.output == Ok([[None]]), timeout=20)
        h.engine.service(SiteLinks).public_url = "https://ci.example.org"
        result.set(1)
        await h.until(lambda: made.statuses[sha(1)][-1].state == "success", timeout=20)
        (path,) = [path for job in h.jobs.values() for path in job.paths]
    page = f"https://ci.example.org/stage?path={quote(path, safe='')}"
    assert [one.url for one in made.statuses[sha(1)] if one.url] == [page]


async def test_a_status_that_was_set_without_a_record_is_not_set_again(
    world: World, start: Start, tmp_path: Path
) -> None:
    """As by an engine that was killed in between."""
    world.forge.add("octo/web")
    pipeline = with_status(world, current.constant(1))
    async with start(pipeline) as h:
        await h.until(lambda: any("/statuses" in one for one in world.forge.requests), timeout=20)
        await h.until(lambda: isinstance(h.output, Ok), timeout=20)
    before = world.forge.said("octo/web", sha(1))
    # Another engine, which knows nothing.
    async with Harness(pipeline, state_dir=tmp_path / "other") as h:
        await h.until(lambda: isinstance(h.output, Ok), timeout=20)
    assert world.forge.said("octo/web", sha(1)) == before


async def test_a_status_is_set_although_the_forge_is_out_of_order_now_and_then(
    world: World, start: Start
) -> None:
    """Tried again as infrastructure; one whose answer was lost is not set twice."""
    world.forge.add("octo/web")
    async with start(with_status(world, current.constant(1))) as h:
        await h.until(lambda: isinstance(h.output, Ok), timeout=20)
    world.forge.repositories["octo/web"].branches["dev"] = sha(2)

    async with start(with_status(world, current.constant(1))) as h:
        world.forge.after += [hang_up] * 3
        for _ in range(40):
            if h.output == Ok([[None, None]]):
                break
            await h.until(
                lambda: h.output == Ok([[None, None]]) or h.clock.next_timer is not None, timeout=20
            )
            if h.clock.next_timer is not None:
                h.clock.move(h.clock.next_timer - h.clock.now())
            await h.settle()
        await h.until(lambda: h.output == Ok([[None, None]]), timeout=20)
    assert shows(world, "octo/web", sha(2)) == ["success"]


async def test_a_status_that_would_stay_pending_is_cancelled(world: World, start: Start) -> None:
    """Once its branch is gone; a completed one stays as it is."""
    made = world.forge.add("octo/web")
    made.branches["dev"] = sha(2)
    running: Current[object] = current.active(Activity.RUNNING)
    async with start(with_status(world, running)) as h:
        await h.until(lambda: h.output == Ok([[None, None]]), timeout=20)
        del made.branches["dev"]
        await swept(h, Ok([[None]]))
        await h.until(
            lambda: shows(world, "octo/web", sha(2))[-1] in ("error", "canceled"), timeout=20
        )
    assert shows(world, "octo/web", sha(1))[-1] in ("pending", "running")


async def test_a_status_that_waits_for_the_limit_says_so(world: World, start: Start) -> None:
    """In its log, and in what `why` says, as long as that lasts."""
    world.forge.add("octo/web")

    def limit(is_done: bool) -> Reply | None:
        if "/statuses" not in world.forge.requests[-1]:
            return None
        world.forge.mischief = lambda is_done: None
        return limited("90")

    world.forge.mischief = limit
    async with start(with_status(world, current.constant(1))) as h:
        host = world.forge.url.partition("://")[2]
        told = f"the limit of requests of {host}, until "
        await h.until(
            lambda: any(told in handle.log_text() for handle in h.jobs.values()), timeout=20
        )
        (job,) = h.jobs
        assert told in str(h.engine.why(job))
        h.clock.move(timedelta(seconds=90))
        await h.until(lambda: h.output == Ok([[None]]), timeout=20)


async def test_an_untrusted_change_gets_its_status(world: World, start: Start) -> None:
    """Without anybody's approval, as that runs nothing of the change."""
    world.forge.add("octo/web")
    world.forge.add("eve/web", is_ours=False)
    world.forge.open("octo/web", sha(7), author="eve", source="eve/web")
    async with start(with_status(world, current.constant(1))) as h:
        await h.until(lambda: h.output == Ok([[None, None]]), timeout=20)
    assert shows(world, "octo/web", sha(7)) == ["success"]


async def test_a_comment_is_edited_in_place(world: World, start: Start, tmp_path: Path) -> None:
    """One a topic, also after a restart; branches get none."""
    world.forge.add("octo/web")
    change = world.forge.open("octo/web", sha(2))
    text = Var("text", "one")

    def each(repository: Current[Repository]) -> Current[object]:
        def comments(ref: Current[Ref]) -> Current[object]:
            first = world.author.comment(ref, "tests", text.get())
            return current.all([first, world.author.comment(ref, "size", "small")])

        return world.author.each_ref(repository, comments)

    def written() -> list[str]:
        return sorted(comment.body.partition("\n")[0] for comment in change.comments)

    async with start(lambda: world.author.each_repository(each)) as h:
        await h.until(
            lambda: written() == ["one", "small"] and isinstance(h.output, Ok), timeout=20
        )
        text.set("two")
        await h.until(
            lambda: written() == ["small", "two"] and isinstance(h.output, Ok), timeout=20
        )
    # Another engine, which knows nothing.
    pipeline = partial(world.author.each_repository, each)
    async with Harness(pipeline, state_dir=tmp_path / "other") as h:
        await h.until(lambda: isinstance(h.output, Ok), timeout=20)
    assert written() == ["small", "two"]
    assert {comment.author for comment in change.comments} == {world.forge.us}


async def test_a_comment_leads_to_the_page_of_its_stage(world: World, start: Start) -> None:
    """Where people reach the site; its mark stays the last line."""
    world.forge.add("octo/web")
    change = world.forge.open("octo/web", sha(2))

    def each(repository: Current[Repository]) -> Current[object]:
        refs = world.author.each_ref
        return refs(repository, lambda ref: world.author.comment(ref, "size", "small"))

    async with start(lambda: world.author.each_repository(each)) as h:
        h.engine.service(SiteLinks).public_url = "https://ci.example.org"
        await h.until(lambda: isinstance(h.output, Ok) and change.comments, timeout=20)
    (comment,) = change.comments
    text, _, link, _, mark = comment.body.splitlines()
    assert text == "small"
    path = "octo%2Fweb/pull%2F1/comment size on"
    assert link == f"[More about this](https://ci.example.org/stage?path={quote(path, safe='')})"
    assert "size" in mark


@pytest.mark.parametrize("topic", ["", "a -->", "--", "a\nb", "x" * 101])
def test_a_topic_is_a_short_name(world: World, topic: str) -> None:
    """It stands in a hidden mark."""
    with pytest.raises(UsageError, match="topic"):
        world.author.comment(current.fail("not yet"), topic, "text")
