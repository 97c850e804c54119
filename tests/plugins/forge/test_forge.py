"""Repositories and refs of a forge in a pipeline."""

from collections.abc import Callable
from pathlib import Path

import pytest

import pycurrent as current
from pycurrent import Active, Current, Ok, UsageError
from pycurrent.engine.abouts import Abouts
from pycurrent.plugins.forge import Forge, Ref, Repository
from pycurrent.plugins.forge.sweep import SWEEP
from pycurrent.testing import Harness

from ..gitserver import GitServer
from ..repositories import Repo
from .conftest import World
from .model import out_of_order, sha

Start = Callable[..., Harness]


async def known(h: Harness) -> None:
    """Wait until the pipeline has an outcome."""
    await h.until(lambda: not isinstance(h.output, Active), timeout=20)


async def swept(h: Harness, output: object) -> None:
    """Wait until the next sweep has led to an output."""
    h.clock.move(SWEEP)
    await h.until(lambda: h.output == output, timeout=20)


def names(forge: Forge) -> Current[list[list[str]]]:
    """The name of each ref of each repository."""

    def each(repository: Current[Repository]) -> Current[list[str]]:
        return forge.each_ref(repository, lambda ref: ref.map(str))

    return forge.each_repository(each)


async def test_repositories_and_their_refs_are_followed(world: World, start: Start) -> None:
    """Each sweep finds those that have come, moved and gone."""
    world.forge.add("octo/web").branches["dev"] = sha(2)
    world.forge.open("octo/web", sha(2))
    async with start(lambda: names(world.author)) as h:
        await known(h)
        assert h.output == Ok([["octo/web dev", "octo/web main", "octo/web pull/1"]])
        world.forge.add("octo/lib")
        del world.forge.repositories["octo/web"].branches["dev"]
        await swept(h, Ok([["octo/lib main"], ["octo/web main", "octo/web pull/1"]]))
        del world.forge.repositories["octo/web"]
        await swept(h, Ok([["octo/lib main"]]))


async def test_refs_are_chosen(world: World, start: Start) -> None:
    """By patterns of their names, and by their kind."""
    made = world.forge.add("octo/web")
    made.branches |= {"release-1": sha(2), "dev": sha(3)}
    made.tags |= {"v1": sha(2), "old": sha(1)}
    world.forge.open("octo/web", sha(4))

    def pipeline() -> Current[object]:
        first = world.author.repositories().map(lambda found: found[0])
        refs = world.author.refs(first, branches="release-*", tags="v*", changes=False)
        return refs.map(lambda found: [ref.key for ref in found])

    async with start(pipeline) as h:
        await known(h)
        assert h.output == Ok(["release-1", "tags/v1"])


async def test_pages_tell_when_a_list_was_synced_last(world: World, start: Start) -> None:
    """A list that can't be read keeps the time of the last one that could."""
    world.forge.add("octo/web")

    def note(h: Harness) -> str | None:
        (stage,) = h.engine.opened.live.stages()
        return stage.status.note

    async with start(world.author.repositories) as h:
        await known(h)
        first = note(h)
        assert first == f"last synced {h.clock.now():%Y-%m-%d %H:%M:%S} UTC"
        h.clock.move(SWEEP)
        await h.until(lambda: note(h) != first, timeout=20)
        second, before = note(h), len(world.forge.requests)
        world.forge.replies += [out_of_order] * 3
        h.clock.move(SWEEP)
        await h.until(lambda: len(world.forge.requests) > before, timeout=20)
        await h.settle()
        assert note(h) == second


async def test_repositories_are_chosen(world: World, start: Start) -> None:
    """By a function."""
    world.forge.add("octo/web")
    world.forge.add("octo/attic", is_archived=True)

    def pipeline() -> Current[object]:
        found = world.author.repositories(where=lambda one: not one.is_archived)
        return found.map(lambda known: [one.path for one in known])

    async with start(pipeline) as h:
        await known(h)
        assert h.output == Ok(["octo/web"])


def test_a_malformed_pattern_is_refused(world: World) -> None:
    """When the pipeline is built."""
    with pytest.raises(UsageError, match=r"a\.\.b"):
        world.author.refs(current.fail("not yet"), branches="a..b")


async def test_stages_have_labels_of_their_ref(world: World, start: Start) -> None:
    """A new commit goes through the same stages, with another label."""
    made = world.forge.add("octo/web")
    world.forge.open("octo/web", sha(3), author="ann")

    @current.builder("look", level=current.Level.HARMLESS)
    async def look(job: current.Job, hash: str) -> str:
        return hash

    def each(repository: Current[Repository]) -> Current[object]:
        return world.author.each_ref(repository, lambda ref: look(ref.map(lambda one: one.hash)))

    async with start(lambda: world.author.each_repository(each)) as h:
        await h.until(lambda: h.output == Ok([[sha(1), sha(3)]]), timeout=20)

        def recorded() -> list[dict[str, str]]:
            return [dict(record.labels) for record in h.engine.history(op="look")]

        # The uses of the first step are recorded in the turns after it.
        await h.until(lambda: all(recorded()))
        main, change = sorted(recorded(), key=lambda labels: labels["commit"])
        assert main == {"repo": "octo/web", "ref": "main", "commit": sha(1)}
        assert change == {
            "repo": "octo/web",
            "ref": "pull/1",
            "commit": sha(3),
            "change": "1",
            "author": "ann",
        }
        made.branches["main"] = sha(5)
        await swept(h, Ok([[sha(5), sha(3)]]))


async def test_a_change_from_a_fork_is_untrusted(world: World, start: Start) -> None:
    """Its work waits until its commit is approved; a branch's does not."""
    world.forge.add("octo/web")
    world.forge.add("eve/web", is_ours=False)
    world.forge.open("octo/web", sha(7), author="eve", source="eve/web")

    @current.builder("look", level=current.Level.HARMLESS)
    async def look(job: current.Job, hash: str) -> str:
        return f"{hash} {job.is_trusted}"

    def each(repository: Current[Repository]) -> Current[object]:
        return world.author.each_ref(repository, lambda ref: look(ref.map(lambda one: one.hash)))

    async with start(lambda: world.author.each_repository(each)) as h:
        await h.until(lambda: bool(h.engine.history(op="look", ok=True)), timeout=20)
        await h.settle()
        assert isinstance(h.output, Active)
        h.engine.approve_commit(sha(7))
        await h.until(lambda: h.output == Ok([[f"{sha(1)} True", f"{sha(7)} False"]]), timeout=20)


async def test_the_last_list_stays_while_the_forge_is_out_of_order(
    world: World, start: Start
) -> None:
    """Nothing that was known is undone."""
    world.forge.add("octo/web")
    async with start(lambda: names(world.author)) as h:
        await known(h)
        expected = h.output
        before = len(world.forge.requests)
        world.forge.replies += [out_of_order] * 20
        h.clock.move(SWEEP)
        await h.until(lambda: len(world.forge.requests) >= before + 2, timeout=20)
        await h.settle()
        assert h.output == expected
        world.forge.replies.clear()


async def test_one_input_is_read_for_all_that_use_it(world: World, start: Start) -> None:
    """Two stages that ask for the refs of one repository ask the forge once."""
    world.forge.add("octo/web")

    def pipeline() -> Current[object]:
        first = world.author.repositories().map(lambda found: found[0])
        refs: list[Current[tuple[Ref, ...]]] = [
            world.author.refs(first),
            world.author.refs(first, tags="*"),
        ]
        return current.all(refs)

    async with start(pipeline) as h:
        await known(h)
        asked = [one for one in world.forge.requests if one.endswith(("/branches", "/graphql"))]
        assert len(asked) == 1


async def test_a_commit_is_fetched_with_the_forges_token(
    world: World, start: Start, repo: Repo, tmp_path: Path
) -> None:
    """As by `git.fetch`, also that of a fork, whose work is untrusted otherwise. What is known of
    it then is told to pages.
    """
    server = GitServer(tmp_path / "served")
    place = Repo.init(server.root / "octo/web.git", "--bare")
    server.token = world.forge.fetching
    server.start()
    hash = repo.git("rev-parse", "HEAD")
    ref = "refs/pull/1/head" if world.author.kind == "forgejo" else "refs/merge-requests/1/head"
    repo.git("push", "--quiet", place.path, "HEAD:refs/heads/main", f"HEAD:{ref}")
    world.forge.add("octo/web", hash=hash, clone_url=server.url("octo/web.git"))
    world.forge.open("octo/web", hash, source=None)

    def each(repository: Current[Repository]) -> Current[list[str]]:
        return world.author.each_ref(
            repository, lambda ref: world.author.fetch(ref).map(lambda commit: commit.hash)
        )

    try:
        async with start(lambda: world.author.each_repository(each)) as h:
            await h.until(lambda: h.output == Ok([[hash, hash]]), timeout=20)
            logs = [handle.log_text() for handle in h.jobs.values()]
            assert not any(world.forge.fetching in log for log in logs)
            tell = h.engine.opened.service(Abouts).of
            about = await tell({"repo": "octo/web", "ref": "pull/1", "commit": hash})
            assert about is not None
            assert (about.title, about.author) == ("Do it", "ann")
            assert about.commit == repo.git("log", "-1", "--format=%h %an: %s", "--abbrev=10")
            assert about.commit_url is not None
            assert about.commit_url.endswith(f"/commit/{hash}")
            assert await tell({"repo": "octo/web", "ref": "pull/2"}) is None
            assert await tell({"repo": "octo/web"}) is None
    finally:
        server.stop()
