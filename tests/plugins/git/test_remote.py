"""Repositories elsewhere: their heads, and their commits, in mirrors of ours."""

import asyncio
import json
import shutil
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from pycurrent.cache import Retry, Schedule, builder
from pycurrent.cache.codec import codec_for
from pycurrent.engine import Job, Level
from pycurrent.engine.limits import Limits
from pycurrent.plugins import git
from pycurrent.plugins.git.address import RepositoryAddress
from pycurrent.plugins.git.clone import CloneKey, GitClone
from pycurrent.plugins.git.credentials import RepositoryAccess
from pycurrent.plugins.git.fetch import FetchKey, GitFetch
from pycurrent.plugins.git.mirrors import Mirrors
from pycurrent.store import ChangeKind
from pycurrent.term import Current, Failed, Ok, Var, seq
from pycurrent.testing import Harness, check_builder

from ..gitserver import GitServer
from ..repositories import Repo
from .conftest import push, serve

Start = Callable[..., Harness]
NEVER = Retry(infra=0)


@builder("list-files", level=Level.HARMLESS, retry=NEVER)
async def files(job: Job, commit: git.Commit) -> str:
    """The text files of a checkout of the commit, with their contents."""
    async with git.with_checkout(job, commit) as folder:
        return " ".join(
            f"{path.relative_to(folder)}={path.read_text()}"
            for path in sorted(folder.rglob("*.txt"))
            if ".git" not in path.parts
        )


@builder("count-commits", level=Level.HARMLESS)
async def history(job: Job, commit: git.Commit) -> str:
    """How long the history is, and which tags there are."""
    async with git.with_checkout(job, commit) as folder:
        count = await job.check_output(["git", "rev-list", "--count", "HEAD"], cwd=folder)
        tags = await job.check_output(["git", "tag"], cwd=folder)
        assert list(folder.glob(".git/objects/pack/*")) == []
        return f"{count.strip()} {tags.strip()}".strip()


def hash_of(harness: Harness) -> str:
    assert isinstance(harness.output, Ok), harness.output
    return str(harness.output.value.hash)


def commit_id(served: GitServer, hash: str, ref: str = "refs/heads/main") -> git.CommitId:
    return git.CommitId(served.url("team/shop.git"), ref, hash)


def copy_of(tmp_path: Path) -> Path:
    """The one mirror that there is."""
    (mirror,) = (tmp_path / "state" / "git").glob("*/shop.git")
    return mirror


# Heads


async def test_a_clone_is_the_head_of_the_main_branch(
    upstream: Repo, served: GitServer, start: Start
) -> None:
    """And its files can be checked out."""
    url = served.url("team/shop.git")
    async with start(lambda: files(git.clone(url))) as harness:
        await harness.settle()
        assert harness.output == Ok("a.txt=one")


async def test_a_clone_of_another_ref(upstream: Repo, served: GitServer, start: Start) -> None:
    """A tag leads to its commit, and other refs than branches are got, too."""
    url = served.url("team/shop.git")
    head = upstream.git("rev-parse", "HEAD")
    upstream.git("tag", "--annotate", "--message=release", "v1")
    push(upstream, "refs/tags/v1", "HEAD:refs/pull/7/head")
    upstream.commit("second")
    push(upstream)

    def pipeline() -> Current[list[git.Commit]]:
        refs = ["refs/tags/v1", "refs/pull/7/head"]
        return seq([git.clone(url, gref=ref) for ref in refs])

    async with start(pipeline) as harness:
        await harness.settle()
        assert isinstance(harness.output, Ok)
        assert [commit.hash for commit in harness.output.value] == [head, head]


async def test_a_repository_with_longer_hashes(start: Start, tmp_path: Path) -> None:
    """Which is only found out when it answers; for a commit it is known."""
    repo = Repo.init(tmp_path / "shop", "--object-format=sha256")
    hash = repo.commit("first", a_txt="long")
    commit_id = git.CommitId(str(repo.path), "refs/heads/main", hash)

    def pipeline() -> Current[list[str]]:
        cloned = git.clone(str(repo.path), gref="refs/heads/main")
        return seq([files(cloned), files(git.fetch(commit_id, depth=1))])

    async with start(pipeline) as harness:
        await harness.settle()
        assert harness.output == Ok(["a.txt=long", "a.txt=long"])


async def test_a_schedule_finds_a_new_head(upstream: Repo, served: GitServer, start: Start) -> None:
    """Not before it expires."""
    url = served.url("team/shop.git")
    hourly = Schedule(valid_for=timedelta(hours=1))
    async with start(lambda: git.clone(url, schedule=hourly)) as harness:
        await harness.settle()
        first = hash_of(harness)
        second = upstream.commit("second")
        push(upstream)
        await harness.advance(timedelta(minutes=59))
        assert hash_of(harness) == first
        await harness.advance(timedelta(minutes=2))
        assert hash_of(harness) == second


async def told(harness: Harness) -> tuple[str, str | None, list[str]]:
    """The newest change: in a line without the address, by whom, and its commits' subjects."""
    opened = harness.engine.opened
    await opened.changes.described()
    newest, *_ = opened.store.changes(kind=ChangeKind.INPUT)
    parts = [part.rpartition(": ")[2] for part in json.loads(newest.details or "[]")]
    return newest.summary.partition(": ")[2], newest.by, parts


async def test_a_change_of_a_remote_head_tells_of_its_commits(
    upstream: Repo, served: GitServer, start: Start
) -> None:
    """Whose they are, and their subjects; also of a forced push. The jobs that follow name it."""
    url = served.url("team/shop.git")
    hourly = Schedule(valid_for=timedelta(hours=1))
    hour = timedelta(hours=1)
    async with start(lambda: files(git.clone(url, schedule=hourly))) as harness:
        await harness.settle()
        first = upstream.git("rev-parse", "HEAD")
        upstream.commit("make it quick")
        upstream.git("config", "user.name", "Mia")
        second = upstream.commit("say why")
        push(upstream)
        await harness.advance(hour)
        summary, by, parts = await told(harness)
        assert summary == f"{first[:7]} → {second[:7]}, say why and 1 more"
        assert (by, parts) == ("Author", ["say why", "make it quick"])
        store = harness.engine.opened.store
        (files_again, *_) = store.history("list-files")
        (change,) = store.changes_of_job(files_again.job_id)
        assert (change.kind, change.input) == (ChangeKind.INPUT, f"clone {url} HEAD")
        (look, *_) = store.history("git-clone")
        assert [c.kind for c in store.changes_of_job(look.job_id)] == [ChangeKind.TIMER]

        upstream.git("reset", "--quiet", "--hard", first)
        third = upstream.commit("otherwise\x1b[31m")
        push(upstream)
        await harness.advance(hour)
        line = "a forced push without 2 commits: otherwise [31m"
        assert await told(harness) == (
            f"{second[:7]} → {third[:7]}, {line}",
            "Author",
            ["otherwise [31m"],
        )
        upstream.git("reset", "--quiet", "--hard", first)
        push(upstream)
        await harness.advance(hour)
        assert await told(harness) == (f"{third[:7]} → {first[:7]}, 1 commit back", None, [])


async def test_of_many_commits_the_newest_are_told(
    upstream: Repo, served: GitServer, start: Start
) -> None:
    """With how many more there are; in a part of the history nothing is taken for a forced push."""
    url = served.url("team/shop.git")
    hourly = Schedule(valid_for=timedelta(hours=1))

    def pipeline() -> Current[list[git.Commit]]:
        return seq([git.clone(url, depth=depth, schedule=hourly) for depth in (None, 2)])

    async with start(pipeline) as harness:
        await harness.settle()
        for number in range(25):
            upstream.commit(f"number {number}")
        push(upstream)
        await harness.advance(timedelta(hours=1))
        opened = harness.engine.opened
        await opened.changes.described()
        changes = opened.store.changes(kind=ChangeKind.INPUT)
        parts = sorted((json.loads(change.details or "") for change in changes), key=len)
        assert [len(each) for each in parts] == [2, 21]
        assert parts[1][-1] == "and 5 more"
        ends = sorted(change.summary.rpartition(", ")[2] for change in changes)
        assert ends == ["number 24 and 1 more", "number 24 and 24 more"]


async def test_a_change_that_the_mirror_can_t_tell_has_both_hashes(
    upstream: Repo, served: GitServer, start: Start, tmp_path: Path
) -> None:
    """As the old commit is gone: the mirror was removed, and the history rewritten."""
    url = served.url("team/shop.git")
    first = upstream.git("rev-parse", "HEAD")
    async with start(lambda: git.clone(url)) as harness:
        await harness.settle()
    shutil.rmtree(copy_of(tmp_path))
    upstream.git("checkout", "--quiet", "--orphan", "other")
    second = upstream.commit("all anew")
    push(upstream)
    async with start(lambda: git.clone(url)) as harness:
        await harness.settle()
        assert hash_of(harness) == second
        assert await told(harness) == (f"{first} → {second}", None, [])


async def test_what_is_cloned_is_known_after_a_restart(
    upstream: Repo, served: GitServer, start: Start, tmp_path: Path
) -> None:
    """No request is made for it; but it is got again if its mirror is gone."""
    url = served.url("team/shop.git")
    async with start(lambda: git.clone(url)) as harness:
        await harness.settle()
        commit = harness.output
    served.requests.clear()
    async with start(lambda: git.clone(url)) as harness:
        await harness.settle()
        assert harness.output == commit
        assert served.requests == []
    mirror = copy_of(tmp_path)
    mirror.rename(mirror.with_name("gone"))
    async with start(lambda: files(git.clone(url))) as harness:
        await harness.settle()
        assert harness.output == Ok("a.txt=one")


async def test_without_the_history(upstream: Repo, served: GitServer, start: Start) -> None:
    """A checkout of the last commits shares their objects, as any other does."""
    upstream.git("tag", "v1")
    for number in range(4):
        upstream.commit(str(number))
    push(upstream, "HEAD:refs/heads/main", "refs/tags/v1")
    url = served.url("team/shop.git")

    def pipeline() -> Current[list[str]]:
        depths = [None, 1, 3]
        return seq([history(git.clone(url, depth=depth)) for depth in depths])

    async with start(pipeline) as harness:
        await harness.settle()
        assert harness.output == Ok(["5 v1", "1", "3"])


@pytest.mark.parametrize("scheme", ["", "file://"])
async def test_a_repository_without_its_history(
    repo: Repo, start: Start, tmp_path: Path, scheme: str
) -> None:
    """It is cloned as far as it goes, also when it goes on; and a local one is checked out."""
    for number in range(3):
        repo.commit(str(number))
    shallow = Repo(tmp_path / "shallow" / "shop")
    shallow.path.parent.mkdir()
    repo.git("clone", "--quiet", "--depth=2", f"file://{repo.path}", shallow.path)
    url = f"{scheme}{shallow.path}"
    hourly = Schedule(valid_for=timedelta(hours=1))

    def pipeline() -> Current[list[str]]:
        local = git.Local(shallow.path).head_commit()
        return seq([history(git.clone(url, schedule=hourly)), files(local)])

    async with start(pipeline) as harness:
        await harness.settle()
        assert harness.output == Ok(["2", "a.txt=one"])
        shallow.commit("more", a_txt="more")
        await harness.advance(timedelta(hours=2))
        await harness.until(lambda: harness.output == Ok(["3", "a.txt=more"]))


def add_branches(repository: Path, hash: str, count: int) -> None:
    lines = "".join(f"create refs/heads/a/{number} {hash}\n" for number in range(count))
    command = ["git", f"--git-dir={repository}", "update-ref", "--stdin"]
    subprocess.run(command, input=lines.encode(), check=True)


async def test_the_first_copy_has_no_file_for_each_ref(
    upstream: Repo, served: GitServer, start: Start, tmp_path: Path
) -> None:
    """Of which there may be very many."""
    head = upstream.git("rev-parse", "HEAD")
    add_branches(served.root / "team" / "shop.git", head, 500)
    async with start(lambda: git.clone(served.url("team/shop.git"))) as harness:
        await harness.settle()
        assert hash_of(harness) == head
    mirror = copy_of(tmp_path)
    assert len(Repo(mirror).git("for-each-ref", "refs/heads").splitlines()) == 501
    assert len([path for path in (mirror / "refs").rglob("*") if path.is_file()]) < 5
    assert Repo(mirror).git("config", "gc.auto") == "0"


async def test_settings_for_clones_of_the_users_own_do_not_matter(
    upstream: Repo, served: GitServer, start: Start, tmp_path: Path
) -> None:
    """A checkout has its branches where the docs say, and is made from a mirror on this machine."""
    config = tmp_path / "config"
    config.write_text(
        "[clone]\n\tdefaultRemoteName = mine\n\trejectShallow = true\n"
        '[protocol "file"]\n\tallow = never\n[submodule]\n\trecurse = true\n'
        "[fetch]\n\tpruneTags = true\n\tprune = false\n[core]\n\tlogAllRefUpdates = always\n"
    )

    @builder("branches", level=Level.HARMLESS)
    async def branches(job: Job, commit: git.Commit) -> str:
        async with git.with_checkout(job, commit) as folder:
            return await job.check_output(["git", "branch", "--remotes"], cwd=folder)

    url = served.url("team/shop.git")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", str(config))
        async with start(
            lambda: seq([branches(git.clone(url)), files(git.clone(url, depth=1))])
        ) as harness:
            await harness.settle()
            assert isinstance(harness.output, Ok)
            assert "origin/main" in harness.output.value[0]


# Commits


async def test_a_commit_knows_what_others_call_it(
    upstream: Repo, served: GitServer, start: Start
) -> None:
    """Also after a restart; but it is the same commit, whatever that is."""
    wanted = commit_id(served, upstream.git("rev-parse", "HEAD"))
    head = git.CommitId(wanted.repository, "HEAD", wanted.hash)
    for _ in range(2):
        async with start(lambda: seq([git.fetch(wanted), git.clone(wanted.repository)])) as harness:
            await harness.settle()
            assert isinstance(harness.output, Ok)
            fetched, cloned = harness.output.value
            assert (fetched.id, cloned.id) == (wanted, head)
            assert fetched == cloned == git.Commit(fetched.repository, wanted.hash)
    codec = codec_for(git.Commit, what="commit")
    assert codec.encode(fetched) == codec.encode(git.Commit(fetched.repository, wanted.hash))


async def test_a_commit_is_fetched_once(upstream: Repo, served: GitServer, start: Start) -> None:
    """One that is here already is not asked for again."""
    hash = upstream.git("rev-parse", "HEAD")
    async with start(lambda: git.fetch(commit_id(served, hash))) as harness:
        await harness.settle()
        assert hash_of(harness) == hash
        served.requests.clear()
        harness.find("fetch").rebuild()
        await harness.settle()
        assert "is here already" in harness.log("fetch")
        assert served.requests == []


async def test_a_commit_that_a_force_push_has_removed(
    upstream: Repo, served: GitServer, start: Start
) -> None:
    """It is got by its hash, as long as the server has it."""
    lost = upstream.commit("lost", a_txt="lost")
    push(upstream)
    upstream.git("reset", "--quiet", "--hard", "HEAD~")
    upstream.commit("other", a_txt="other")
    push(upstream)
    async with start(lambda: files(git.fetch(commit_id(served, lost)))) as harness:
        await harness.settle()
        assert harness.output == Ok("a.txt=lost")


async def test_a_server_that_gives_nothing_by_its_hash(
    upstream: Repo, served: GitServer, start: Start, tmp_path: Path
) -> None:
    """As old ones do: the commit is looked for on the ref on which it was seen."""
    config = tmp_path / "config"
    config.write_text("[protocol]\n\tversion = 0\n")
    hash = upstream.commit("proposed", a_txt="proposed")
    push(upstream, "HEAD:refs/pull/7/head")
    upstream.commit("later")
    push(upstream, "HEAD:refs/pull/7/head")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", str(config))
        wanted = commit_id(served, hash, "refs/pull/7/head")
        async with start(lambda: files(git.fetch(wanted))) as harness:
            await harness.settle()
            assert harness.output == Ok("a.txt=proposed")
            assert "does not give" in harness.log("fetch")
        gone = commit_id(served, "1" * 40, "refs/pull/8/head")
        async with start(lambda: files(git.fetch(gone))) as harness:
            await harness.settle()
            assert isinstance(harness.output, Failed)
            assert "is no longer on refs/pull/8/head" in harness.output.message


async def test_a_commit_that_the_server_has_removed(
    upstream: Repo, served: GitServer, start: Start
) -> None:
    """The failure says so; one that we had stays."""
    lost = upstream.commit("lost", a_txt="lost")
    push(upstream)
    other = upstream.commit("other")
    hash = Var("hash", lost)

    def pipeline() -> Current[str]:
        return files(git.fetch(hash.get().map(lambda wanted: commit_id(served, wanted))))

    async with start(pipeline) as harness:
        await harness.settle()
        upstream.git("reset", "--quiet", "--hard", "HEAD~2")
        push(upstream)
        shop = Repo(served.root / "team" / "shop.git")
        shop.git("gc", "--quiet", "--prune=now")
        hash.set(other)
        await harness.settle()
        assert harness.output == Failed(
            f"{served.url('team/shop.git')}: commit {other} is no longer on "
            "refs/heads/main, and can't be fetched by its hash"
        )
        hash.set(lost)
        await harness.settle()
        harness.find("list-files").rebuild()
        await harness.settle()
        assert harness.output == Ok("a.txt=lost")


async def test_a_copy_loses_nothing_to_a_collection_by_hand(
    upstream: Repo, served: GitServer, start: Start, tmp_path: Path
) -> None:
    """What was rewritten is kept there by a ref."""
    lost = upstream.commit("lost", a_txt="lost")
    push(upstream)
    url = served.url("team/shop.git")

    def pipeline() -> Current[str]:
        return files(git.clone(url, schedule=Schedule(valid_for=timedelta(hours=1))))

    async with start(pipeline) as harness:
        await harness.settle()
        upstream.git("reset", "--quiet", "--hard", "HEAD~")
        push(upstream)
        await harness.advance(timedelta(hours=2))
        assert harness.output == Ok("a.txt=one")
        Repo(copy_of(tmp_path)).git("gc", "--quiet", "--prune=now")
    async with start(lambda: files(git.fetch(commit_id(served, lost)))) as harness:
        served.requests.clear()
        await harness.settle()
        assert harness.output == Ok("a.txt=lost")
        assert served.requests == []


async def test_one_fetch_at_a_time_in_a_copy(
    upstream: Repo, served: GitServer, start: Start
) -> None:
    """The second waits, and says so."""
    first, second = upstream.git("rev-parse", "HEAD"), upstream.commit("second")
    push(upstream)
    served.stall()

    def pipeline() -> Current[list[git.Commit]]:
        return seq([git.fetch(commit_id(served, hash)) for hash in (first, second)])

    async with start(pipeline) as harness:
        await asyncio.to_thread(served.stalled.acquire)
        await harness.until(
            lambda: any(
                "Waiting for a resource of pool mirror of" in harness.log(job.description)
                for job in harness.jobs.values()
            )
        )
        # Later the server may still be at the end of one request as the next one comes.
        assert served.busiest == 1
        served.go_on()
        await harness.settle()
        assert isinstance(harness.output, Ok)


async def test_the_log_says_how_to_get_the_same_by_hand(
    upstream: Repo, served: GitServer, start: Start, tmp_path: Path
) -> None:
    """Whoever may read the repository gets the commit, even if it is on no branch any more."""
    lost = upstream.commit("lost", a_txt="lost")
    push(upstream)
    async with start(lambda: files(git.fetch(commit_id(served, lost)))) as harness:
        await harness.settle()
        logs = [harness.log("fetch"), harness.log("list-files")]
    upstream.git("reset", "--quiet", "--hard", "HEAD~")
    push(upstream)
    for number, log in enumerate(logs):
        (line,) = (line for line in log.splitlines() if "by hand: " in line)
        folder = tmp_path / str(number)
        folder.mkdir()
        shell = await asyncio.create_subprocess_shell(
            line.split("by hand: ")[1], cwd=folder, stderr=asyncio.subprocess.DEVNULL
        )
        assert await shell.wait() == 0
        assert (folder / "shop" / "a.txt").read_text() == "lost"


# Submodules


async def test_submodules_come_with_the_commit(
    upstream: Repo, served: GitServer, start: Start, tmp_path: Path
) -> None:
    """Theirs, too, with the history or without; relative addresses are relative to the
    repository's own. A checkout needs no server.
    """
    inner = serve(Repo.init(tmp_path / "inner"), served, "inner.git")
    inner.commit("inner", inner_txt="inner")
    push(inner)
    outer = serve(Repo.init(tmp_path / "outer"), served, "team/outer.git")
    add_submodule(outer, "../../inner.git", inner, "in")
    outer.commit("outer", outer_txt="outer")
    push(outer)
    add_submodule(upstream, "../outer.git", outer, "lib")
    upstream.commit("with submodules")
    push(upstream)

    everything = "a.txt=one lib/in/inner.txt=inner lib/outer.txt=outer"
    url = served.url("team/shop.git")
    for number, depth in enumerate((None, 1)):
        state = tmp_path / str(number)
        async with Harness(lambda: files(git.clone(url, depth=depth)), state_dir=state) as harness:  # noqa: B023
            await harness.settle()
            assert harness.output == Ok(everything)
            served.requests.clear()
            harness.find("list-files").rebuild()
            await harness.settle()
            assert harness.output == Ok(everything)
            assert served.requests == []
            (inner_copy,) = (state / "git").glob("*/inner.git")
            inner_copy.rename(tmp_path / f"gone {number}")
            harness.find("list-files").rebuild()
            await harness.settle()
            assert harness.output == Failed(
                "our mirrors don't have submodule in: rebuild the job that fetched it"
            )
            harness.find("clone").rebuild()
            await harness.settle()
            harness.find("list-files").rebuild()
            await harness.settle()
            assert harness.output == Ok(everything)


def add_submodule(repo: Repo, url: str, other: Repo, path: str) -> None:
    """Without looking at the address."""
    hash = other.git("rev-parse", "HEAD")
    repo.git("config", "--file", ".gitmodules", f"submodule.{path}.path", path)
    repo.git("config", "--file", ".gitmodules", f"submodule.{path}.url", url)
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{hash},{path}")
    (repo.path / path).mkdir(exist_ok=True)


# The operations themselves


async def test_fetch_keeps_the_rules(upstream: Repo, served: GitServer, tmp_path: Path) -> None:
    """Of all operations: it can be stored, cancelled, run again; credentials are no key."""
    url, hash = served.url("team/shop.git"), upstream.git("rev-parse", "HEAD")
    home = RepositoryAddress.of(url)
    limits = Limits(Level.HARMLESS)
    mirrors = Mirrors(tmp_path / "git")
    await check_builder(
        GitFetch(mirrors, RepositoryAccess(home), limits, "refs/heads/main"),
        FetchKey(url, hash),
        value=hash,
        others=[FetchKey(url, hash, depth=1), FetchKey(f"{url}/x", hash)],
        failing=FetchKey(url, "1" * 40),
        other_context=GitFetch(mirrors, RepositoryAccess(home, git.Token("other")), limits, "HEAD"),
        state_dir=tmp_path,
    )


async def test_clone_keeps_the_rules(upstream: Repo, served: GitServer, tmp_path: Path) -> None:
    """As fetch does."""
    url, hash = served.url("team/shop.git"), upstream.git("rev-parse", "HEAD")
    home = RepositoryAddress.of(url)
    limits = Limits(Level.HARMLESS)
    mirrors = Mirrors(tmp_path / "git")
    await check_builder(
        GitClone(mirrors, RepositoryAccess(home), limits),
        CloneKey(url, "HEAD"),
        value=hash,
        others=[CloneKey(url, "HEAD", depth=1), CloneKey(url, "refs/heads/main")],
        failing=CloneKey(url, "refs/heads/none"),
        other_context=GitClone(mirrors, RepositoryAccess(home, git.Token("other")), limits),
        state_dir=tmp_path,
    )
