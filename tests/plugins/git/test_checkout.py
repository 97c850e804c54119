"""Checkouts: the files of a commit and its submodules, apart from everybody else's."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from pycurrent.cache import builder
from pycurrent.engine import Job, Level
from pycurrent.plugins import git
from pycurrent.term import Current, Failed, Ok, seq
from pycurrent.testing import Harness

from ..repositories import Repo

Use = Callable[[Job, Path], Awaitable[str]]


def checkout(commit: git.Commit, use: Use) -> Current[str]:
    """What a job finds out in a checkout of the commit."""

    @builder("use-checkout", level=Level.HARMLESS)
    async def in_checkout(job: Job, commit: git.Commit) -> str:
        async with git.with_checkout(job, commit) as folder:
            return await use(job, folder)

    return in_checkout(commit)


async def files(job: Job, folder: Path) -> str:
    """The files of the checkout, with their contents."""
    return " ".join(
        f"{path.relative_to(folder)}={path.read_text()}"
        for path in sorted(folder.rglob("*.txt"))
        if ".git" not in path.parts
    )


def commit_of(repo: Repo, name: str = "HEAD") -> git.Commit:
    return git.Commit(repo.path / ".git", repo.git("rev-parse", name))


async def outcome(commit: git.Commit, tmp_path: Path, use: Use = files) -> object:
    async with Harness(lambda: checkout(commit, use), state_dir=tmp_path / "state") as harness:
        await harness.settle()
        await harness.engine.opened.host.trash.emptied()
        assert list(harness.engine.opened.state.tmp.iterdir()) == []
        return harness.output


async def test_a_checkout_has_what_was_committed_and_nothing_else(
    repo: Repo, tmp_path: Path
) -> None:
    """Neither what lies about in the work tree nor later commits."""
    commit = commit_of(repo)
    repo.commit("second", a_txt="two", b_txt="new")
    (repo.path / "c.txt").write_text("not committed")
    assert await outcome(commit, tmp_path) == Ok("a.txt=one")


async def test_a_commit_that_no_branch_has_any_more_can_be_had(repo: Repo, tmp_path: Path) -> None:
    """As long as git keeps it: it was amended a moment ago, say."""
    commit = commit_of(repo)
    repo.git("commit", "--quiet", "--amend", "--message=other")
    repo.git("reflog", "expire", "--all", "--expire=now")
    assert await outcome(commit, tmp_path) == Ok("a.txt=one")


async def test_a_commit_that_is_gone_is_named(repo: Repo, tmp_path: Path) -> None:
    """The failure says which commit is missing where."""
    commit = git.Commit(repo.path / ".git", "1" * 40)
    assert await outcome(commit, tmp_path) == Failed(
        f"there is no commit {'1' * 40} in {repo.path / '.git'}"
    )


async def test_what_a_job_does_to_its_checkout_is_not_done_to_the_repository(
    repo: Repo, tmp_path: Path
) -> None:
    """Commits, tags, branches, stashes and settings stay in the checkout."""
    before = repo.git("for-each-ref"), repo.git("config", "--list"), repo.git("status")

    async def meddle(job: Job, folder: Path) -> str:
        (folder / "a.txt").write_text("changed")
        for command in (
            ["stash"],
            ["switch", "--quiet", "--create", "mine"],
            ["commit", "--quiet", "--allow-empty", "--message=mine"],
            ["tag", "mine"],
            ["config", "user.name", "mine"],
            ["worktree", "prune"],
        ):
            await job.exec(["git", *command], cwd=folder)
        return "done"

    assert await outcome(commit_of(repo), tmp_path, meddle) == Ok("done")
    assert (repo.git("for-each-ref"), repo.git("config", "--list"), repo.git("status")) == before
    repo.git("fsck", "--strict")


async def test_a_checkout_knows_its_branches_and_tags(repo: Repo, tmp_path: Path) -> None:
    """Versions are often made from tags."""
    repo.git("tag", "--annotate", "--message=release", "v1")
    repo.commit("second")

    async def describe(job: Job, folder: Path) -> str:
        return (await job.check_output(["git", "describe"], cwd=folder)).split("-")[0]

    assert await outcome(commit_of(repo), tmp_path, describe) == Ok("v1")


async def test_the_log_says_how_to_get_the_same_by_hand(repo: Repo, tmp_path: Path) -> None:
    """The line in it, given to a shell, makes a checkout of the commit."""
    commit = commit_of(repo)
    repo.commit("second", a_txt="two")
    async with Harness(lambda: checkout(commit, files), state_dir=tmp_path / "state") as harness:
        await harness.settle()
        log = harness.log("use-checkout")
    line = next(line for line in log.splitlines() if "by hand: " in line)
    (tmp_path / "by-hand").mkdir()
    command = line.split("by hand: ")[1]
    shell = await asyncio.create_subprocess_shell(
        command, cwd=tmp_path / "by-hand", stderr=asyncio.subprocess.DEVNULL
    )
    assert await shell.wait() == 0
    assert (tmp_path / "by-hand" / "repo" / "a.txt").read_text() == "one"


async def test_many_checkouts_at_once_while_git_collects_garbage(
    repo: Repo, tmp_path: Path
) -> None:
    """They share the repository's objects, and nothing else."""
    commits = []
    for number in range(6):
        repo.commit(str(number), a_txt=str(number))
        commits.append(commit_of(repo))

    collecting = asyncio.Lock()

    async def slowly(job: Job, folder: Path) -> str:
        async with collecting:
            await asyncio.to_thread(repo.git, "gc", "--quiet")
        await job.exec(["git", "fsck", "--connectivity-only"], cwd=folder)
        return (folder / "a.txt").read_text()

    async with Harness(
        lambda: seq([checkout(commit, slowly) for commit in commits]),
        state_dir=tmp_path / "state",
    ) as harness:
        await harness.settle()
        assert harness.output == Ok([str(number) for number in range(6)])


async def test_a_checkout_from_a_linked_work_tree_and_a_bare_repository(
    repo: Repo, tmp_path: Path
) -> None:
    """Wherever git keeps the commits."""
    repo.git("worktree", "add", "--quiet", tmp_path / "side")
    side = Repo(tmp_path / "side")
    side.commit("second", a_txt="side")
    assert await outcome(git.Local(side.path).check(), tmp_path / "1") == Ok("a.txt=side")
    repo.git("clone", "--quiet", "--bare", repo.path, tmp_path / "bare.git")
    assert await outcome(git.Local(tmp_path / "bare.git").check(), tmp_path / "2") == Ok(
        "a.txt=one"
    )


async def test_settings_of_a_hook_do_not_lead_into_another_repository(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine that was started by a hook leaves that hook's repository and index alone."""
    commit = commit_of(repo)
    other = Repo.init(tmp_path / "other")
    other.commit("other", b_txt="other")
    index = (other.path / ".git" / "index").read_bytes()
    monkeypatch.setenv("GIT_DIR", str(other.path / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other.path / ".git" / "index"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other.path))
    assert await outcome(commit, tmp_path) == Ok("a.txt=one")
    assert (other.path / ".git" / "index").read_bytes() == index


async def test_hooks_of_the_user_are_not_run(repo: Repo, tmp_path: Path) -> None:
    """A hook that runs after checkouts is meant for the user's own."""
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "post-checkout").write_text("#!/bin/sh\nexit 1\n")
    (hooks / "post-checkout").chmod(0o755)
    config = tmp_path / "config"
    config.write_text(f"[core]\n\thooksPath = {hooks}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", str(config))
        assert await outcome(commit_of(repo), tmp_path) == Ok("a.txt=one")


# Submodules


@pytest.fixture
def nested(repo: Repo, tmp_path: Path) -> Repo:
    """A repository with a submodule, a folder in it, which has one itself."""
    inner = Repo.init(tmp_path / "inner")
    inner.commit("inner", inner_txt="inner")
    outer = Repo.init(tmp_path / "outer")
    outer.add_submodule(inner, "in")
    outer.commit("outer", outer_txt="outer")
    repo.add_submodule(outer, "lib/a=b c")
    repo.git("-c", "protocol.file.allow=always", "submodule", "update", "--init", "--recursive")
    repo.commit("with submodules")
    return repo


NESTED = "a.txt=one lib/a=b c/in/inner.txt=inner lib/a=b c/outer.txt=outer"


async def test_submodules_are_checked_out_from_the_repositorys_copies(
    nested: Repo, tmp_path: Path
) -> None:
    """Those of submodules too. Where they came from need not be there any more."""
    (tmp_path / "inner").rename(tmp_path / "inner-away")
    (tmp_path / "outer").rename(tmp_path / "outer-away")

    async def shared(job: Job, folder: Path) -> str:
        # No objects are copied.
        assert list(folder.glob(".git/modules/**/objects/??/*")) == []
        assert list(folder.glob(".git/modules/**/objects/pack/*")) == []
        return await files(job, folder)

    assert await outcome(commit_of(nested), tmp_path, shared) == Ok(NESTED)


async def test_submodules_that_the_repository_does_not_have_come_from_their_address(
    nested: Repo, tmp_path: Path
) -> None:
    """A clone without them: git gets them as it would for the user, if it may."""
    nested.git("clone", "--quiet", nested.path, tmp_path / "clone")
    commit = commit_of(Repo(tmp_path / "clone"))
    refused = await outcome(commit, tmp_path / "1")
    assert refused == Failed(
        f"can't get the submodules of {commit}: it leads elsewhere by file, which is not allowed"
    )
    # Git clones submodules from paths only for users who allow that.
    config = tmp_path / "config"
    config.write_text('[protocol "file"]\n\tallow = always\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", str(config))
        assert await outcome(commit, tmp_path / "2") == Ok(NESTED)


async def test_submodules_beside_a_repository_that_has_no_remote(
    repo: Repo, tmp_path: Path
) -> None:
    """A relative address is relative to the repository's folder then, as git has it."""
    sub = Repo.init(tmp_path / "sub")
    hash = sub.commit("sub", sub_txt="sub")
    repo.git("config", "--file", ".gitmodules", "submodule.lib.path", "lib")
    repo.git("config", "--file", ".gitmodules", "submodule.lib.url", "../sub")
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{hash},lib")
    (repo.path / "lib").mkdir()
    repo.commit("with a submodule")
    config = tmp_path / "config"
    config.write_text('[protocol "file"]\n\tallow = always\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", str(config))
        assert await outcome(commit_of(repo), tmp_path) == Ok("a.txt=one lib/sub.txt=sub")


async def test_submodules_are_those_of_the_commit(nested: Repo, tmp_path: Path) -> None:
    """One that has moved on, and one that is gone, are as they were then."""
    before = commit_of(nested)
    inner = Repo(nested.path / "lib" / "a=b c")
    inner.commit("later", outer_txt="later")  # on no branch, and pushed to nobody
    nested.commit("moved on")
    moved = commit_of(nested)
    nested.git("rm", "--quiet", "-r", "lib")
    nested.commit("gone")
    assert await outcome(before, tmp_path / "1") == Ok(NESTED)
    assert await outcome(moved, tmp_path / "2") == Ok(NESTED.replace("=outer", "=later"))
    assert await outcome(commit_of(nested), tmp_path / "3") == Ok("a.txt=one")


# The end of the engine

ENGINE = """
import asyncio, sys
from pathlib import Path
from pycurrent.cache import builder
from pycurrent.engine import Job, Level
from pycurrent.facade import Engine
from pycurrent.plugins import git

@builder("use-checkout", level=Level.HARMLESS)
async def in_checkout(job: Job, commit: git.Commit) -> str:
    async with git.with_checkout(job, commit):
        return "done"

local = git.Local(sys.argv[1])
asyncio.run(Engine(lambda: in_checkout(local.head_commit()), state_dir=sys.argv[2]).run())
"""


async def test_an_engine_killed_during_a_checkout_leaves_nothing_that_matters(
    repo: Repo, tmp_path: Path
) -> None:
    """The repository is as it was, and the next engine checks out the commit."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    config = tmp_path / "config"
    config.write_text(f'[filter "wait"]\n\tsmudge = "cat {fifo}"\n')
    repo.commit("filtered", _gitattributes="*.txt filter=wait\n")
    before = sorted(path for path in (repo.path / ".git").rglob("*"))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", ENGINE, str(repo.path), str(tmp_path / "state")),
        env={**os.environ, "GIT_CONFIG_GLOBAL": str(config)},
    )
    # It opens once the checkout has come to the file, which it then waits for.
    writer = await asyncio.to_thread(os.open, fifo, os.O_WRONLY)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    os.close(writer)
    assert sorted(path for path in (repo.path / ".git").rglob("*")) == before

    commit = commit_of(repo)
    assert await outcome(commit, tmp_path) == Ok("a.txt=one")


async def test_a_cancelled_checkout_is_removed(repo: Repo, tmp_path: Path) -> None:
    """With the job, whatever it had got to."""

    async def wait(job: Job, folder: Path) -> str:
        await job.exec(["sleep", "1000"], cwd=folder)
        return "never"

    commit = commit_of(repo)
    async with Harness(lambda: checkout(commit, wait), state_dir=tmp_path / "state") as harness:
        await harness.until(lambda: harness.jobs and "Exec: sleep" in harness.log("use-checkout"))
        harness.find("use-checkout").cancel("enough")
        await harness.settle()
        assert harness.output == Failed("Cancelled: enough")
        await harness.engine.opened.host.trash.emptied()
        assert list(harness.engine.opened.state.tmp.iterdir()) == []
