"""Parts of commits: what has not changed is known already."""

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pycurrent import Job, Level, Var, builder
from pycurrent.errors import UsageError
from pycurrent.plugins import command, git
from pycurrent.plugins.git.subtree import content_text
from pycurrent.term import Active, Activity, Current, Failed, Ok, Output, all
from pycurrent.testing import Harness

from ..gitserver import GitServer
from ..repositories import Repo

Start = Callable[..., Harness]
LIST = ["sh", "-c", "find . -name .git -prune -o -type f -print | sort | xargs grep ''"]


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """A repository with packages a and b, and a program at the top."""
    repo = Repo.init(tmp_path / "repo")
    write(repo, "packages/a/x.txt", "a1\n")
    write(repo, "packages/b/x.txt", "b1\n")
    write(repo, "run.sh", "exit 0\n").chmod(0o755)
    repo.commit("first")
    return repo


def write(repo: Repo, name: str, text: str) -> Path:
    path = repo.path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def head(repo: Repo) -> git.Commit:
    return git.Commit(repo.path / ".git", repo.git("rev-parse", "HEAD"))


async def by_hand(line: str, tmp_path: Path) -> Path:
    """Give what a line of a log says to a shell, in a new folder."""
    place = tmp_path / "by-hand"
    place.mkdir()
    shell = await asyncio.create_subprocess_shell(line.split("by hand: ")[1], cwd=place)
    assert await shell.wait() == 0
    return place


def hanging_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have git read no object until there is a file `go`, and make `reading` when it is asked."""
    real = shutil.which("git")
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\n"
        'case "$*" in *cat-file*)\n'
        f"  touch {tmp_path}/reading\n"
        f"  until test -e {tmp_path}/go; do sleep 0.05; done\n"
        "esac\n"
        f'exec {real} "$@"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


async def failure(start: Start, part: Current[Any]) -> str:
    async with start(lambda: part) as harness:
        await harness.settle()
        assert isinstance(harness.output, Failed)
        return harness.output.message


async def test_only_a_changed_path_runs_again(repo: Repo, start: Start) -> None:
    """A commit that touches one package leaves the jobs of the others as they are."""
    commit: Var[git.Commit] = Var("commit", head(repo))

    def pipeline() -> Current[Any]:
        paths = ("packages/a", "packages/b")
        return all({path: command.run(git.tree(commit.get(), path), ["true"]) for path in paths})

    async with start(pipeline) as harness:
        await harness.settle()
        assert len(harness.history("command-run")) == 2
        write(repo, "packages/b/x.txt", "b2\n")
        repo.commit("second")
        commit.set(head(repo))
        await harness.settle()
        assert harness.output == Ok(None)
        runs = [run.key for run in harness.history("command-run")]
    assert len(runs) == 3
    assert sum("packages/a" in run for run in runs) == 1
    assert repo.git("rev-parse", "HEAD:packages/b") in "".join(runs)


async def test_a_running_job_of_unchanged_content_goes_on(
    repo: Repo, start: Start, tmp_path: Path
) -> None:
    """The next commit was looked into when it comes."""
    commit = git.Local(repo.path).head_commit()
    waiting = ["sh", "-c", f"until test -e {tmp_path / 'go'}; do sleep 0.05; done"]

    def pipeline() -> Current[Any]:
        a, b = (git.tree(commit, f"packages/{name}") for name in "ab")
        return all([command.run(a, waiting), command.run(b, ["true"])])

    async with start(pipeline) as harness:
        await harness.until(lambda: len(harness.history("command-run")) == 1)
        first = harness.find("until").id
        write(repo, "packages/b/x.txt", "b2\n")
        repo.commit("second")
        await harness.until(lambda: len(harness.history("command-run")) == 2)
        (tmp_path / "go").touch()
        await harness.settle()
        assert harness.output == Ok(None)
        assert harness.find("until").id == first
        assert all_ok(harness)


async def test_a_commit_that_code_has_set_is_looked_into_a_moment_later(
    repo: Repo, start: Start
) -> None:
    """Beside the steps. Nobody could know of it before."""
    commit: Var[git.Commit] = Var("commit", head(repo))
    seen: list[Output[Any]] = []
    async with start(lambda: git.tree(commit.get(), "packages/b")) as harness:
        await harness.settle()
        before = harness.output
        write(repo, "packages/b/x.txt", "b2\n")
        repo.commit("second")
        harness.engine.listen(lambda _: seen.append(harness.output))
        commit.set(head(repo))
        await harness.settle()
        assert seen[0] == Active(Activity.RUNNING)
        assert isinstance(harness.output, Ok)
        assert harness.output != before


async def test_a_disk_that_hangs_holds_up_only_what_it_has(
    repo: Repo, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything else goes on, and the stage says what it waits for."""
    commit = head(repo)
    hanging_git(tmp_path, monkeypatch)

    @builder("other", level=Level.HARMLESS)
    async def other(job: Job, name: str) -> str:
        return name

    def pipeline() -> Current[Any]:
        part = git.tree(commit, "packages/a", label="part")
        return all({"part": part, "other": other("fine")})

    async with start(pipeline) as harness:
        await harness.until(lambda: [run.ok for run in harness.history("other")] == [True])
        assert harness.stats.running == 1
        assert f"git reads {commit}" in str(harness.engine.why("part"))
        (tmp_path / "go").touch()
        await harness.settle()
        assert harness.output == Ok(None)


async def test_an_engine_ends_while_git_hangs(
    repo: Repo, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that reads is left."""
    commit = head(repo)
    hanging_git(tmp_path, monkeypatch)
    async with start(lambda: git.tree(commit, "packages/a")) as harness:
        await harness.until((tmp_path / "reading").exists)
    assert harness.output == Active(Activity.RUNNING)


async def test_with_a_latch_it_also_goes_on_while_the_next_commit_is_fetched(
    repo: Repo, served: GitServer, start: Start, tmp_path: Path
) -> None:
    """The last commit holds meanwhile."""
    bare = Repo.init(served.root / "shop.git", "--bare")
    url = served.url("shop.git")

    def pushed() -> git.CommitId:
        repo.git("push", "--quiet", bare.path, "HEAD:refs/heads/main")
        return git.CommitId(url, "refs/heads/main", head(repo).hash)

    newest: Var[git.CommitId] = Var("head", pushed())
    waiting = ["sh", "-c", f"until test -e {tmp_path / 'go'}; do sleep 0.05; done"]

    def pipeline() -> Current[Any]:
        commit = git.fetch(newest.get()).latch()
        a, b = (git.tree(commit, f"packages/{name}") for name in "ab")
        return all([command.run(a, waiting), command.run(b, ["true"])])

    async with start(pipeline) as harness:
        await harness.until(lambda: len(harness.history("command-run")) == 1)
        first = harness.find("until").id
        write(repo, "packages/b/x.txt", "b2\n")
        repo.commit("second")
        newest.set(pushed())
        await harness.until(lambda: len(harness.history("command-run")) == 2)
        (tmp_path / "go").touch()
        await harness.settle()
        assert harness.output == Ok(None)
        assert harness.find("until").id == first
        assert all_ok(harness)


def all_ok(harness: Harness) -> bool:
    return [build.ok for build in harness.history("command-run")] == [True] * 3


@pytest.mark.parametrize(
    ("paths", "found"),
    [
        (["packages/a"], "./packages/a/x.txt:a1\n"),
        (["packages/a/"], "./packages/a/x.txt:a1\n"),
        (["packages", "packages/b"], "./packages/a/x.txt:a1\n./packages/b/x.txt:b1\n"),
        (["run.sh", "packages/b"], "./packages/b/x.txt:b1\n./run.sh:exit 0\n"),
        (["run.sh"], "./run.sh:exit 0\n"),
        ([], "./packages/a/x.txt:a1\n./packages/b/x.txt:b1\n./run.sh:exit 0\n"),
    ],
)
async def test_a_checkout_has_these_paths_and_nothing_else(
    repo: Repo, start: Start, paths: list[str], found: str
) -> None:
    """Each at its place; a file keeps its mode."""
    async with start(lambda: command.output(git.tree(head(repo), *paths), LIST)) as harness:
        await harness.settle()
        # `grep` does not name a file if there is only one.
        assert isinstance(harness.output, Ok)
        assert harness.output.value in (found, found.partition(":")[2])


async def test_a_checkout_has_no_history(repo: Repo, start: Start) -> None:
    """So no command can tell commits with the same content apart. Git lists the files."""
    listing = ["sh", "-c", "git ls-files -s && ! git rev-parse --verify --quiet HEAD"]
    async with start(lambda: command.output(git.tree(head(repo), "run.sh"), listing)) as harness:
        await harness.settle()
        blob = repo.git("rev-parse", "HEAD:run.sh")
        assert harness.output == Ok(f"100755 {blob} 0\trun.sh\n")


async def test_a_job_of_ones_own_gets_a_checkout(repo: Repo, start: Start) -> None:
    """`with_checkout` takes parts as it takes commits."""

    @builder("read", level=Level.HARMLESS)
    async def read(job: Job, part: git.Subtree) -> str:
        async with git.with_checkout(job, part) as folder:
            return (folder / "packages/a/x.txt").read_text()

    async with start(lambda: read(git.tree(head(repo), "packages/a"))) as harness:
        await harness.settle()
        assert harness.output == Ok("a1\n")


async def test_a_key_is_set_to_a_part(repo: Repo, start: Start, tmp_path: Path) -> None:
    """A command as a publisher gets the files, and the ids of the content; again only if it has
    changed.
    """
    commit: Var[git.Commit] = Var("commit", head(repo))
    line = f"cat packages/a/x.txt >> {tmp_path / 'set'}; echo $PYCURRENT_VALUE"

    def pipeline() -> Current[None]:
        part = git.tree(commit.get(), "packages/a")
        return command.set(part, ["sh", "-c", line], key="web", level=Level.HARMLESS)

    async with start(pipeline) as harness:
        await harness.settle()
        assert harness.output == Ok(None)
        id = repo.git("rev-parse", "HEAD:packages/a")
        assert f'{{"packages/a":"{id}"}}' in harness.log("set web")
        write(repo, "packages/b/x.txt", "b2\n")
        repo.commit("second")
        commit.set(head(repo))
        await harness.settle()
        assert (tmp_path / "set").read_text() == "a1\n"
        write(repo, "packages/a/x.txt", "a2\n")
        repo.commit("third")
        commit.set(head(repo))
        await harness.settle()
        assert (tmp_path / "set").read_text() == "a1\na2\n"


async def test_a_sandbox_has_the_files_of_a_part(repo: Repo, start: Start) -> None:
    """Git finds the objects there, which the checkout shares."""
    part = git.tree(head(repo), "packages/a")
    words = ["sh", "-c", "cat packages/*/x.txt && git cat-file -e :packages/a/x.txt"]
    async with start(lambda: command.output(part, words, sandbox=command.Sandbox())) as harness:
        await harness.settle()
        assert harness.output == Ok("a1\n")


@pytest.mark.parametrize("is_part", [True, False])
async def test_each_command_in_a_checkout_says_how_to_get_the_same(
    repo: Repo, start: Start, is_part: bool
) -> None:
    """One line in the log of each job has all that a person types."""
    here: Any = git.tree(head(repo), "packages") if is_part else head(repo)

    def pipeline() -> Current[Any]:
        words, level = ["true"], Level.HARMLESS
        done = [command.run(here, words), command.set(here, words, key="k", level=level)]
        return all([*done, command.output(here, words).ignore()])

    async with start(pipeline) as harness:
        await harness.settle()
        assert harness.output == Ok(None)
        logs = [job.log_text() for job in harness.jobs.values()]
    assert len(logs) == 3
    for log in logs:
        (line,) = (line for line in log.splitlines() if "by hand: " in line)
        assert "git clone" in line
        assert head(repo).hash in line


@pytest.mark.parametrize("paths", [["packages/a"], ["run.sh", "packages/a"], []])
async def test_the_log_says_how_to_get_the_same_by_hand(
    repo: Repo, start: Start, tmp_path: Path, paths: list[str]
) -> None:
    """The line in it, given to a shell, gets the same files of the same commit."""
    part = git.tree(head(repo), *paths)
    async with start(lambda: command.run(part, ["true"])) as harness:
        await harness.settle()
        log = harness.log("true")
    line = next(line for line in log.splitlines() if "by hand: " in line)
    place = await by_hand(line, tmp_path)
    assert (place / "repo/packages/a/x.txt").read_text() == "a1\n"
    assert (place / "repo/packages/b").exists() == (not paths)


async def test_a_part_of_a_remote_commit(
    repo: Repo, served: GitServer, start: Start, tmp_path: Path
) -> None:
    """The line by hand clones from its address, and the job has the commit as a label."""
    Repo.init(served.root / "shop.git", "--bare")
    repo.git("push", "--quiet", served.root / "shop.git", "HEAD:refs/heads/main")
    url = served.url("shop.git")

    def pipeline() -> Current[None]:
        return command.run(git.tree(git.clone(url), "packages/a"), ["true"])

    async with start(pipeline) as harness:
        await harness.settle()
        assert harness.output == Ok(None)
        line = next(line for line in harness.log("true").splitlines() if "by hand: " in line)
        assert harness.find("true").labels == {"commit": head(repo).hash}
    place = await by_hand(line, tmp_path)
    assert (place / "shop/packages/a/x.txt").read_text() == "a1\n"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("packages/aa", "has no packages/aa: it has packages/a ..."),
        ("package/a", "has no package/a: it has packages ..."),
        ("packages/x", "has no packages/x: it has packages/a, packages/b"),
        ("run.sh/x", "has no run.sh/x: run.sh is a file"),
    ],
)
async def test_a_path_that_is_missing(repo: Repo, start: Start, path: str, said: str) -> None:
    """The failure names it, and the names that come near."""
    assert said in await failure(start, git.tree(head(repo), path))


async def test_a_commit_or_a_repository_that_is_missing(
    repo: Repo, start: Start, tmp_path: Path
) -> None:
    """The failure names the place."""
    unknown = git.Commit(repo.path / ".git", "1" * 40)
    assert "there is no commit 1111" in await failure(start, git.tree(unknown, "a"))
    nowhere = git.Commit(tmp_path / "nowhere", "1" * 40)
    said = await failure(start, git.tree(nowhere, "a"))
    assert said.startswith(f"git can't read {tmp_path / 'nowhere'}: not a git repository")


async def test_submodules_are_refused(repo: Repo, start: Start, tmp_path: Path) -> None:
    """At the path itself, and below it: only a checkout of the whole commit has them."""
    other = Repo.init(tmp_path / "other")
    other.commit("other")
    repo.add_submodule(other, "packages/lib")
    repo.commit("second")
    assert "packages/lib is a submodule" in await failure(
        start, git.tree(head(repo), "packages/lib")
    )
    said = await failure(start, command.run(git.tree(head(repo), "packages"), ["true"]))
    assert "has submodule packages/lib, which git.tree does not give" in said


@pytest.mark.parametrize(
    "path", ["../x", "/x", "", ".", "a//b", "./a", ":(top)a", "packages/*", "a\nb", 3]
)
def test_what_is_not_a_path_is_refused(path: Any) -> None:
    """At once, before git sees it."""
    with pytest.raises(UsageError):
        git.tree(git.Commit(Path("/repo/.git"), "0" * 40), path)


def test_texts_of_parts() -> None:
    """One path has the first digits of git's own id, several those of a digest of all."""
    assert content_text({"a": "1" * 40}) == f"a {'1' * 10}"
    assert content_text({"": "1" * 40}) == f"tree {'1' * 10}"
    assert content_text({"run.sh": f"100755 {'1' * 40}"}) == f"run.sh {'1' * 10}"
    assert content_text(dict.fromkeys("abcde", "1" * 40)).startswith("a, b, c and 2 more ")
