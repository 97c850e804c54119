"""Repositories on this machine as inputs: what they say, and that changes come by themselves."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pycurrent.errors import UsageError
from pycurrent.facade import Engine
from pycurrent.plugins import git
from pycurrent.term import Current, Failed, Ok, Output
from pycurrent.testing import Harness

from ..repositories import Repo

REMEDY = "name the folder of a repository, or make it one with git init"


class Watched:
    """A pipeline of one current, and what it says after each change."""

    def __init__(self, harness: Harness) -> None:
        self._harness = harness

    async def says(self) -> Output[object]:
        await self._harness.settle()
        return self._harness.output

    async def hash(self) -> str:
        match await self.says():
            case Ok(git.Commit(hash=hash)):
                return hash
            case other:
                raise AssertionError(f"no commit: {other}")

    async def failure(self) -> str:
        match await self.says():
            case Failed(message):
                return message
            case other:
                raise AssertionError(f"no failure: {other}")


@asynccontextmanager
async def watching(
    tmp_path: Path, pipeline: Callable[[], Current[object]]
) -> AsyncIterator[Watched]:
    async with Harness(pipeline, state_dir=tmp_path / "state") as harness:
        yield Watched(harness)


@pytest.fixture
def local(repo: Repo) -> git.Local:
    return git.Local(repo.path)


# The head


async def test_a_new_commit_is_picked_up(repo: Repo, local: git.Local, tmp_path: Path) -> None:
    """The head commit follows the branch that is checked out."""
    async with watching(tmp_path, local.head_commit) as head:
        assert await head.says() == Ok(
            git.Commit(repo.path / ".git", repo.git("rev-parse", "HEAD"))
        )
        for number in "23":
            new = repo.commit(number)
            assert await head.hash() == new


async def test_the_head_follows_from_branch_to_branch(
    repo: Repo, local: git.Local, tmp_path: Path
) -> None:
    """After a switch the new branch is watched, one that is in a folder of its own too."""
    async with watching(tmp_path, local.head_commit) as head:
        first = await head.hash()
        repo.git("switch", "--quiet", "--create", "feature/one")
        second = repo.commit("second")
        assert await head.hash() == second
        repo.git("switch", "--quiet", "main")
        assert await head.hash() == first
        third = repo.commit("third")
        assert await head.hash() == third


async def test_a_detached_head_is_a_commit(repo: Repo, local: git.Local, tmp_path: Path) -> None:
    """Without a branch HEAD itself has the commit, and it moves with commits that are made."""
    first = repo.git("rev-parse", "HEAD")
    second = repo.commit("second")
    async with watching(tmp_path, local.head_commit) as head:
        assert await head.hash() == second
        repo.git("checkout", "--quiet", "--detach", first)
        assert await head.hash() == first
        third = repo.commit("third")
        assert await head.hash() == third


async def test_head_says_what_is_checked_out(repo: Repo, local: git.Local, tmp_path: Path) -> None:
    """A branch, with or without commits, or a commit."""
    async with watching(tmp_path, local.head) as head:
        assert await head.says() == Ok(git.Branch("refs/heads/main"))
        repo.git("switch", "--quiet", "--orphan", "empty")
        assert await head.says() == Ok(git.Branch("refs/heads/empty"))
        repo.git("checkout", "--quiet", "--detach", "main")
        commit = git.Commit(repo.path / ".git", repo.git("rev-parse", "main"))
        assert await head.says() == Ok(git.Detached(commit))


async def test_a_repository_without_a_commit_recovers_with_the_first(tmp_path: Path) -> None:
    """Until then the failure says what to do."""
    repo = Repo.init(tmp_path / "repo")
    local = git.Local(repo.path)
    async with watching(tmp_path, local.head_commit) as head:
        assert await head.failure() == f"{repo.path} has no commit yet: make one"
        first = repo.commit("first")
        assert await head.hash() == first
        repo.git("switch", "--quiet", "--orphan", "other")
        assert await head.failure() == (f"branch other of {repo.path} has no commit yet: make one")


# Refs


async def test_a_ref_is_followed_through_deletion_and_packing(
    repo: Repo, local: git.Local, tmp_path: Path
) -> None:
    """Whether it has a file of its own or a line among the packed ones."""
    first = repo.git("rev-parse", "HEAD")
    repo.git("branch", "topic")
    async with watching(tmp_path, lambda: local.commit_of_ref("refs/heads/topic")) as topic:
        assert await topic.hash() == first
        repo.git("gc", "--quiet")
        assert await topic.hash() == first
        second = repo.commit("second")
        repo.git("branch", "--force", "topic", second)
        assert await topic.hash() == second
        repo.git("pack-refs", "--all", "--prune")
        assert await topic.hash() == second
        repo.git("branch", "-D", "topic")
        assert await topic.failure() == (
            f"{repo.path} has no ref refs/heads/topic: it has refs/heads/main"
        )
        repo.git("branch", "topic", first)
        assert await topic.hash() == first


async def test_a_packed_ref_that_is_deleted_is_gone(
    repo: Repo, local: git.Local, tmp_path: Path
) -> None:
    """Only the file of the packed refs tells of that."""
    repo.git("tag", "v1")
    repo.git("pack-refs", "--all")
    async with watching(tmp_path, lambda: local.commit_of_ref("refs/tags/v1")) as tag:
        assert await tag.hash() == repo.git("rev-parse", "HEAD")
        repo.git("tag", "--delete", "v1")
        assert "no ref refs/tags/v1" in await tag.failure()


async def test_a_tag_leads_to_its_commit(repo: Repo, local: git.Local, tmp_path: Path) -> None:
    """An annotated tag is an object of its own; one of a tree leads nowhere."""
    repo.git("tag", "--annotate", "--message=release", "v1")
    async with watching(tmp_path, lambda: local.commit_of_ref("refs/tags/v1")) as tag:
        assert await tag.hash() == repo.git("rev-parse", "HEAD")
        repo.git("tag", "--force", "v1", "HEAD^{tree}")
        assert "refs/tags/v1" in (message := await tag.failure())
        assert "does not lead to a commit" in message


async def test_a_ref_that_stands_for_another_is_followed(
    repo: Repo, local: git.Local, tmp_path: Path
) -> None:
    """A symbolic ref changes when what it stands for does."""
    repo.git("symbolic-ref", "refs/heads/current", "refs/heads/main")
    async with watching(tmp_path, lambda: local.commit_of_ref("refs/heads/current")) as ref:
        await ref.says()
        second = repo.commit("second")
        assert await ref.hash() == second


async def test_the_failure_for_an_unknown_ref_names_some_known_ones(
    repo: Repo, local: git.Local, tmp_path: Path
) -> None:
    """Not all of thousands."""
    for number in range(12):
        repo.git("branch", f"b{number:02}")
    async with watching(tmp_path, lambda: local.commit_of_ref("refs/heads/none")) as ref:
        known = ", ".join(f"refs/heads/b{number:02}" for number in range(10))
        assert await ref.failure() == (
            f"{repo.path} has no ref refs/heads/none: it has {known}, and 3 more"
        )


@pytest.mark.parametrize(
    "ref", ["main", "-x", "refs/heads/..", "refs/heads/a b", "refs/a.lock", ""]
)
def test_what_is_no_full_ref_name_is_refused(local: git.Local, ref: str) -> None:
    """At once, where it is written: no name can be an option of git, or a range."""
    with pytest.raises(UsageError, match=r"refs/heads/"):
        local.commit_of_ref(ref)


# Kinds of repositories


async def test_a_linked_work_tree_has_its_own_head(
    repo: Repo, local: git.Local, tmp_path: Path
) -> None:
    """Branches and commits are those of the repository, the head is not."""
    repo.git("worktree", "add", "--quiet", "-b", "side", tmp_path / "side")
    side = Repo(tmp_path / "side")
    first = repo.git("rev-parse", "HEAD")
    async with (
        watching(tmp_path / "1", git.Local(side.path).head_commit) as side_head,
        Harness(local.head_commit, state_dir=tmp_path / "2" / "state") as main,
    ):
        second = side.commit("second")
        assert await side_head.says() == Ok(git.Commit(repo.path / ".git", second))
        await main.settle()
        assert main.output == Ok(git.Commit(repo.path / ".git", first))
        side.git("checkout", "--quiet", "--detach", first)
        assert await side_head.hash() == first


async def test_a_bare_repository_that_is_pushed_to(repo: Repo, tmp_path: Path) -> None:
    """It has no work tree, and its head changes by pushes."""
    bare = Repo.init(tmp_path / "bare.git", "--bare")
    repo.git("push", "--quiet", bare.path, "main")
    async with watching(tmp_path, git.Local(bare.path).head_commit) as head:
        assert await head.hash() == repo.git("rev-parse", "main")
        second = repo.commit("second")
        repo.git("push", "--quiet", bare.path, "main")
        assert await head.says() == Ok(git.Commit(bare.path, second))


async def test_a_repository_that_goes_and_comes_back(
    repo: Repo, local: git.Local, tmp_path: Path
) -> None:
    """Deleted, or moved away, it fails; a new one in its place is watched."""
    async with watching(tmp_path, local.head_commit) as head:
        first = await head.hash()
        repo.path.rename(tmp_path / "away")
        assert await head.failure() == f"{repo.path} does not exist: {REMEDY}"
        (tmp_path / "away").rename(repo.path)
        assert await head.hash() == first
        shutil.rmtree(repo.path / ".git")
        assert await head.failure() == f"{repo.path} is not a Git repository: {REMEDY}"
        shutil.rmtree(repo.path)
        assert await head.failure() == f"{repo.path} does not exist: {REMEDY}"
        Repo.init(repo.path)
        second = repo.commit("anew", a_txt="two")
        assert await head.hash() == second


async def test_the_environment_of_a_hook_does_not_choose_the_repository(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine that a hook has started watches what it was told to."""
    other = Repo.init(tmp_path / "other")
    other.commit("other")
    first = repo.git("rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(other.path / ".git"))
    async with watching(tmp_path, git.Local(repo.path).head_commit) as head:
        assert await head.hash() == first


# Folders that become repositories


async def test_a_folder_becomes_a_repository(tmp_path: Path) -> None:
    """A missing folder, an empty one, and one after git init are seen as they come."""
    path = tmp_path / "some" / "where"
    async with watching(tmp_path, git.Local(path).head_commit) as head:
        assert await head.failure() == f"{path} does not exist: {REMEDY}"
        path.mkdir(parents=True)
        assert await head.failure() == f"{path} is not a Git repository: {REMEDY}"
        repo = Repo.init(path)
        assert await head.failure() == f"{path} has no commit yet: make one"
        first = repo.commit("first")
        assert await head.says() == Ok(git.Commit(path / ".git", first))


async def test_each_step_of_making_a_repository_is_seen(repo: Repo, tmp_path: Path) -> None:
    """In whatever order its files come, the last one makes it a repository."""
    made = repo.path / ".git"
    for last in ("objects", "refs", "HEAD"):
        path = tmp_path / f"{last} comes last"
        async with watching(path, git.Local(path / "repo").head_commit) as head:
            shutil.copytree(made, path / "repo" / ".git", ignore=shutil.ignore_patterns(last))
            assert "is not a Git repository" in await head.failure()
            (shutil.copytree if last != "HEAD" else shutil.copy)(
                made / last, path / "repo" / ".git" / last
            )
            assert await head.hash() == repo.git("rev-parse", "HEAD")


async def test_a_bare_repository_appears(repo: Repo, tmp_path: Path) -> None:
    """Its files are in the folder itself."""
    bare = tmp_path / "bare.git"
    async with watching(tmp_path, git.Local(bare).head_commit) as head:
        assert await head.failure() == f"{bare} does not exist: {REMEDY}"
        repo.git("clone", "--quiet", "--bare", repo.path, bare)
        assert await head.says() == Ok(git.Commit(bare, repo.git("rev-parse", "HEAD")))


async def test_a_linked_work_tree_appears_goes_and_comes_back(repo: Repo, tmp_path: Path) -> None:
    """It has a file `.git`, which leads to its head."""
    side = tmp_path / "side"
    async with watching(tmp_path, git.Local(side).head_commit) as head:
        assert await head.failure() == f"{side} does not exist: {REMEDY}"
        repo.git("worktree", "add", "--quiet", "--detach", side)
        assert await head.says() == Ok(
            git.Commit(repo.path / ".git", repo.git("rev-parse", "HEAD"))
        )
        repo.git("worktree", "remove", side)
        assert await head.failure() == f"{side} does not exist: {REMEDY}"
        repo.git("worktree", "add", "--quiet", "-b", "other", side)
        second = Repo(side).commit("second")
        assert await head.hash() == second


async def test_a_submodule_appears_when_it_is_checked_out(repo: Repo, tmp_path: Path) -> None:
    """Before that its folder is empty, and after a deinit it is so again."""
    other = Repo.init(tmp_path / "other")
    commit = other.commit("other")
    repo.add_submodule(other, "part")
    repo.commit("with a submodule")
    allow = ("-c", "protocol.file.allow=always", "submodule", "--quiet")
    repo.git("submodule", "--quiet", "deinit", "--force", "part")
    part = repo.path / "part"
    async with watching(tmp_path, git.Local(part).head_commit) as head:
        assert await head.failure() == f"{part} is not a Git repository: {REMEDY}"
        repo.git(*allow, "update", "--init", "part")
        assert await head.says() == Ok(git.Commit(repo.path / ".git" / "modules" / "part", commit))
        repo.git("submodule", "--quiet", "deinit", "--force", "part")
        assert await head.failure() == f"{part} is not a Git repository: {REMEDY}"


async def test_a_git_file_that_leads_elsewhere_is_followed(repo: Repo, tmp_path: Path) -> None:
    """One that leads nowhere, or is not one of git's, says so."""
    other = Repo.init(tmp_path / "other")
    path = tmp_path / "moved"
    path.mkdir()
    link = path / ".git"
    link.write_text(f"gitdir: {tmp_path / 'away'}\n")
    async with watching(tmp_path, git.Local(path).head_commit) as head:
        assert await head.failure() == (
            f"{link} leads to {tmp_path / 'away'}, which does not exist: {REMEDY}"
        )
        link.write_text("gitdir: ../repo/.git\n")
        assert await head.hash() == repo.git("rev-parse", "HEAD")
        link.write_text(f"gitdir: {other.path / '.git'}\n")
        assert await head.failure() == f"{path} has no commit yet: make one"
        link.write_text("something else\n")
        assert (await head.failure()).startswith(f"git can't read {path}: invalid gitfile format")


async def test_a_link_to_another_repository_is_followed(repo: Repo, tmp_path: Path) -> None:
    """The path is what counts, not where it led to at the start."""
    other = Repo.init(tmp_path / "other")
    commit = other.commit("other")
    link = tmp_path / "link"
    link.symlink_to(repo.path)
    async with watching(tmp_path, git.Local(link).head_commit) as head:
        assert await head.says() == Ok(
            git.Commit(repo.path / ".git", repo.git("rev-parse", "HEAD"))
        )
        link.unlink()
        link.symlink_to(other.path)
        assert await head.says() == Ok(git.Commit(other.path / ".git", commit))


async def test_a_repository_above_is_not_taken(repo: Repo, tmp_path: Path) -> None:
    """A mistyped folder must not lead to testing something else."""
    inside = repo.path / "inside"
    inside.mkdir()
    async with watching(tmp_path, git.Local(inside).head_commit) as head:
        assert await head.failure() == f"{inside} is not a Git repository: {REMEDY}"


def test_check_refuses_what_is_not_a_repository(repo: Repo, tmp_path: Path) -> None:
    """In the words of the failure: one line that says what to do."""
    (repo.path / "inside").mkdir()
    for path in (tmp_path, repo.path / "inside"):
        with pytest.raises(UsageError) as refused:
            git.Local(path).check()
        assert str(refused.value) == f"{path} is not a Git repository: {REMEDY}"


def test_without_git_the_failure_says_so(
    local: git.Local, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rather than that some file was not found."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="there is no git on the PATH: install it"):
        local.check()


def test_a_repository_is_named_by_a_path() -> None:
    """Anything else is refused at once."""
    path: Any = 3
    with pytest.raises(UsageError, match=r"git.Local takes the path of a folder, not 3"):
        git.Local(path)


def test_check_gives_the_commit_or_refuses(repo: Repo, local: git.Local, tmp_path: Path) -> None:
    """For programs that exit rather than wait: the message is that of the failure."""
    assert local.check().hash == repo.git("rev-parse", "HEAD")
    assert local.check("refs/heads/main") == local.check()
    with pytest.raises(UsageError, match=r"has no ref refs/heads/x: it has refs/heads/main"):
        local.check("refs/heads/x")
    with pytest.raises(UsageError, match=r"has no commit yet: make one"):
        git.Local(Repo.init(tmp_path / "empty").path).check()


async def test_an_engine_in_real_time_sees_a_commit_without_being_asked(
    repo: Repo, local: git.Local, tmp_path: Path
) -> None:
    """Nothing polls, and nothing has to be called."""
    engine = Engine(local.head_commit, state_dir=tmp_path / "state")
    changed = asyncio.Event()
    engine.listen(lambda step: changed.set())

    async def until(output: Output[object]) -> None:
        async with asyncio.timeout(20):
            while engine.output != output:
                changed.clear()
                await changed.wait()

    async with engine:
        await until(Ok(local.check()))
        repo.commit("second")
        await until(Ok(local.check()))


async def test_a_change_of_a_ref_tells_of_its_commits(
    tmp_path: Path, local: git.Local, repo: Repo
) -> None:
    """Whose they are, and their subjects; one that leads to no new commit has only both hashes."""
    first = repo.commit("the first")
    async with Harness(local.head_commit, state_dir=tmp_path / "state") as harness:
        engine = harness.engine.opened
        await harness.settle()
        repo.commit("make it quick")
        last = repo.commit("say why")
        await harness.settle()
        await engine.changes.described()
        newest, oldest = engine.store.changes()
        assert oldest.old is None
        assert newest.summary == (
            f"HEAD of {repo.path}: {first[:7]} → {last[:7]}, say why and 1 more"
        )
        assert newest.by == repo.git("log", "-1", "--format=%an")
        details = json.loads(newest.details or "[]")
        assert [line.rpartition(": ")[2] for line in details] == ["say why", "make it quick"]
        repo.git("reset", "--quiet", "--hard", first)
        await harness.settle()
        await engine.changes.described()
        assert engine.store.changes()[0].by is None
