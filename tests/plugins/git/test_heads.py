"""Branches, tags and heads as inputs, without a forge: lists that follow a repository."""

import asyncio
import re
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pycurrent import Current, FailureKind, Var
from pycurrent.errors import UsageError
from pycurrent.plugins import command, git
from pycurrent.plugins.git.refs import RefOrder, RefPattern, listed
from pycurrent.term import Failed, Ok, constant
from pycurrent.testing import Harness

from ..gitserver import TOKEN, GitServer
from ..repositories import Repo
from ..sshd import Sshd, new_key
from .conftest import push

Start = Callable[..., Harness]
MINUTE = timedelta(minutes=1)
URL = "https://git.example.org/team/shop.git"


def value_of(harness: Harness) -> Any:
    match harness.output:
        case Ok(value):
            return value
        case other:
            raise AssertionError(f"no value: {other}")


def refs_of(harness: Harness) -> list[str]:
    return [commit.ref for commit in value_of(harness)]


def branches_of(harness: Harness) -> list[str]:
    return [ref.removeprefix("refs/heads/") for ref in refs_of(harness)]


def delete(repo: Repo, *refs: str) -> None:
    repo.git("push", "--quiet", "--delete", "served", *refs)


@asynccontextmanager
async def _silent() -> AsyncIterator[tuple[str, asyncio.Event]]:
    """A server that takes connections and says nothing: its address, and whether it was asked."""
    asked = asyncio.Event()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/shop.git", asked


@pytest.fixture
def url(upstream: Repo, served: GitServer) -> str:
    return served.url("team/shop.git")


# Remote repositories


async def test_branches_that_appear_move_and_vanish_are_followed(
    upstream: Repo, url: str, start: Start
) -> None:
    """Each look gives all branches in the order of their names, with their commits."""
    first = upstream.git("rev-parse", "HEAD")
    async with start(lambda: git.heads(url)) as harness:
        await harness.settle()
        assert harness.output == Ok((git.CommitId(url, "refs/heads/main", first),))
        push(upstream, "HEAD:refs/heads/release-10", "HEAD:refs/heads/release-9")
        await harness.settle()
        assert branches_of(harness) == ["main"]
        await harness.advance(MINUTE)
        assert branches_of(harness) == ["main", "release-9", "release-10"]
        second = upstream.commit("second")
        push(upstream)
        delete(upstream, "refs/heads/release-9")
        await harness.advance(MINUTE)
        main, release = value_of(harness)
        assert (main.hash, main.branch, main.tag) == (second, "main", None)
        assert release == git.CommitId(url, "refs/heads/release-10", first)
        assert harness.jobs == {}


async def test_a_new_branch_gets_a_pipeline_and_one_that_goes_is_released(
    upstream: Repo, url: str, start: Start
) -> None:
    """A branch that stays is left alone when others come and go."""

    def test(head: Current[git.CommitId]) -> Current[str]:
        return command.output(git.fetch(head), ["cat", "a.txt"])

    def pipeline() -> Current[list[str]]:
        return git.heads(url).list_map(test, key=lambda head: head.ref, label="branches")

    async with start(pipeline) as harness:
        await harness.settle()
        assert harness.output == Ok(["one"])
        upstream.commit("second", a_txt="two")
        push(upstream, "HEAD:refs/heads/next")
        await harness.advance(MINUTE)
        assert harness.output == Ok(["one", "two"])
        used = set(harness.jobs)
        delete(upstream, "refs/heads/next")
        await harness.advance(MINUTE)
        assert harness.output == Ok(["one"])
        assert set(harness.jobs) < used
        assert len(harness.history("command-output")) == 2


async def test_a_look_that_finds_nothing_new_leaves_nothing_behind(
    url: str, served: GitServer, start: Start
) -> None:
    """No job, no change, no file; one connection for each look."""
    async with start(lambda: git.heads(url)) as harness:
        await harness.settle()
        changes = _changes(harness)
        asked = len(served.requests)
        await harness.advance(MINUTE)
        each = len(served.requests) - asked
        await harness.advance(9 * MINUTE)
        assert len(served.requests) == asked + 10 * each
        assert _changes(harness) == changes
        assert list(harness.engine.opened.state.tmp.iterdir()) == []


def _changes(harness: Harness) -> list[tuple[str, str | None]]:
    return [(one.summary, one.details) for one in harness.engine.opened.store.changes()]


async def test_a_change_tells_which_refs_have_come_moved_and_gone(
    upstream: Repo, url: str, start: Start
) -> None:
    """A few in a line, and up to twenty in all."""
    push(upstream, "HEAD:refs/heads/old")
    first = upstream.git("rev-parse", "--short=7", "HEAD")
    async with start(lambda: git.heads(url)) as harness:
        await harness.settle()
        second = upstream.commit("second")[:7]
        push(upstream, "HEAD:refs/heads/main", *(f"HEAD:refs/heads/n{n}" for n in range(30)))
        delete(upstream, "refs/heads/old")
        await harness.advance(MINUTE)
        await harness.engine.opened.changes.described()
        summary, details = _changes(harness)[0]
        told = f"main: {first} → {second}, n0 is new, n1 is new and 29 more"
        assert summary == f"heads of {url} (refs/heads/*): {told}"
        assert details is not None
        assert details.count("is new") == 19


async def test_stages_that_ask_for_the_same_list_share_one_look(
    upstream: Repo, url: str, served: GitServer, start: Start
) -> None:
    """However many there are, the server is asked once."""

    def pipeline(stages: list[str]) -> Current[list[Any]]:
        return constant(stages).list_map(lambda _: git.heads(url), label="stages")

    async with start(lambda: pipeline(["a"])) as harness:
        await harness.settle()
        alone = len(served.requests)
    served.requests.clear()
    async with start(lambda: pipeline(["a", "b", "c"])) as harness:
        await harness.settle()
        assert len(value_of(harness)) == 3
        assert len(served.requests) == alone


async def test_the_last_list_stays_while_the_server_is_down(
    upstream: Repo, served: GitServer, url: str, start: Start
) -> None:
    """It is asked less and less often, and what is built from the list is kept."""
    known: list[str] = []
    async with start(lambda: git.heads(url)) as harness:
        await harness.settle()
        known = branches_of(harness)
        push(upstream, "HEAD:refs/heads/next")
        before = _changes(harness)
        served.is_down = True
        await harness.advance(2 * MINUTE)
        assert branches_of(harness) == known
        assert "out of order (HTTP status 503)" in harness.dot()
        served.requests.clear()
        await harness.advance(timedelta(minutes=60))
        assert len(served.requests) < 12
        served.is_down = False
        assert _changes(harness) == before
        await harness.advance(timedelta(minutes=10))
        assert branches_of(harness) == ["main", "next"]


async def test_a_server_that_comes_back_with_the_same_list_has_changed_nothing(
    served: GitServer, url: str, start: Start
) -> None:
    """The records don't tell of it."""
    async with start(lambda: git.heads(url)) as harness:
        await harness.settle()
        before = _changes(harness)
        served.is_down = True
        await harness.advance(2 * MINUTE)
        served.is_down = False
        await harness.advance(timedelta(minutes=10))
        assert branches_of(harness) == ["main"]
        assert _changes(harness) == before


@pytest.mark.parametrize(
    ("address", "why", "kind"),
    [
        ("http://127.0.0.1:9/team/shop.git", "nothing answers at 127.0.0.1:9", FailureKind.INFRA),
        ("http://nowhere.invalid/shop.git", "no such host: nowhere.invalid", FailureKind.INFRA),
        ("file:///nowhere/shop.git", "there is no such repository", FailureKind.REAL),
    ],
)
async def test_a_first_look_that_fails_says_why(
    start: Start, address: str, why: str, kind: FailureKind
) -> None:
    """With the address; and whether it is the network's fault."""
    async with start(lambda: git.heads(address)) as harness:
        await harness.settle()
        assert isinstance(harness.output, Failed)
        assert harness.output.message.startswith(f"{address}: {why}")
        assert harness.output.kind is kind


async def test_a_server_that_does_not_answer_is_given_up_after_a_while(start: Start) -> None:
    """The command has ended then, and the next look comes as after any failure."""
    async with _silent() as (address, asked), start(lambda: git.heads(address)) as harness:
        await harness.until(asked.is_set)
        assert harness.engine.opened.processes.running == 1
        harness.clock.move(timedelta(minutes=2))
        await harness.until(lambda: isinstance(harness.output, Failed))
        why = "the server does not answer within 120 seconds"
        assert harness.output == Failed(f"{address}: {why}")
        assert isinstance(harness.output, Failed)
        assert harness.output.kind is FailureKind.INFRA
        assert harness.engine.opened.processes.running == 0


async def test_a_look_ends_with_the_engine(start: Start) -> None:
    """Nothing is left of the command, and the engine does not wait for the server."""
    async with _silent() as (address, asked), start(lambda: git.heads(address)) as harness:
        await harness.until(asked.is_set)
        began = time.monotonic()
        processes = harness.engine.opened.processes
        await harness.engine.opened.aclose()
        assert processes.running == 0
        assert time.monotonic() - began < 8


async def test_a_look_ends_when_nobody_needs_the_list(start: Start) -> None:
    """The command is ended with the last stage that asked."""
    wanted = Var("wanted", True)

    async with _silent() as (address, asked):

        def pipeline() -> Current[Any]:
            return wanted.get().bind(lambda yes: git.heads(address) if yes else constant(0))

        async with start(pipeline) as harness:
            await harness.until(asked.is_set)
            wanted.set(False)
            await harness.settle()
            assert harness.output == Ok(0)
            assert harness.engine.opened.processes.running == 0


async def test_many_refs_take_a_moment(tmp_path: Path, start: Start) -> None:
    """20,000 of them are listed and shown within seconds, and an equal list costs little."""
    repo = Repo.init(tmp_path / "many", "--bare")
    hash = _with_refs(repo, [f"refs/pull/{number}/head" for number in range(20_000)])
    address = f"file://{repo.path}"
    began = time.monotonic()
    async with start(lambda: git.heads(address, "refs/pull/*/head")) as harness:
        await harness.settle()
        assert len(refs_of(harness)) == 20_000
        assert value_of(harness)[10] == git.CommitId(address, "refs/pull/10/head", hash)
        assert time.monotonic() - began < 15
        first = value_of(harness)
        await harness.advance(MINUTE)
        assert value_of(harness) is first


def _with_refs(repo: Repo, refs: list[str]) -> str:
    """Packed, as those of a server are; all at one commit."""
    tree = repo.git("hash-object", "-t", "tree", "-w", "/dev/null")
    hash = repo.git("commit-tree", "-m", "x", tree)
    lines = "".join(f"{hash} {ref}\n" for ref in sorted(refs))
    (repo.path / "packed-refs").write_text(f"# pack-refs with: sorted\n{lines}")
    return hash


# Private ones


async def test_a_token_opens_a_private_repository_and_is_not_left_behind(
    url: str, served: GitServer, start: Start, tmp_path: Path
) -> None:
    """Neither in a file, nor in what is told of a failure."""
    served.token = TOKEN
    async with start(lambda: git.heads(url, token=TOKEN)) as harness:
        await harness.settle()
        assert branches_of(harness) == ["main"]
        assert list(harness.engine.opened.state.tmp.iterdir()) == []
    written = [file for file in (tmp_path / "state").rglob("*") if file.is_file()]
    assert [file for file in written if TOKEN.encode() in file.read_bytes()] == []


async def test_without_the_token_it_says_what_is_missing(
    url: str, served: GitServer, start: Start
) -> None:
    """Nobody is asked for one."""
    served.token = TOKEN
    async with start(lambda: git.heads(url)) as harness:
        await harness.settle()
        why = "the server asks for credentials, and there are none for it: give a token"
        assert harness.output == Failed(f"{url}: {why}")


async def test_an_ssh_key_opens_a_private_repository(
    upstream: Repo, served: GitServer, sshd: Sshd, start: Start, tmp_path: Path
) -> None:
    """With the host's key, which has to be known."""
    key = git.SshKey(new_key(tmp_path / "key"), known_hosts=tmp_path / "known")
    sshd.authorize(key.path)
    (tmp_path / "known").write_text(sshd.known_hosts_line)
    address = f"ssh://{sshd.user}@{sshd.host}:{sshd.port}{served.root / 'team/shop.git'}"
    async with start(lambda: git.heads(address, ssh_key=key)) as harness:
        await harness.settle()
        assert branches_of(harness) == ["main"]


# Repositories on this machine


async def test_a_local_repository_is_watched(repo: Repo, start: Start) -> None:
    """Branches that come, move, go and are packed are followed, those in folders too; no time
    has to pass.
    """
    first = repo.git("rev-parse", "HEAD")
    async with start(lambda: git.heads(git.Local(repo.path))) as harness:
        await harness.settle()
        assert harness.output == Ok((git.CommitId(str(repo.path), "refs/heads/main", first),))
        repo.git("branch", "team/one")
        await harness.settle()
        assert branches_of(harness) == ["main", "team/one"]
        repo.git("pack-refs", "--all")
        repo.git("branch", "team/two/deep")
        await harness.settle()
        assert branches_of(harness) == ["main", "team/one", "team/two/deep"]
        repo.git("switch", "--quiet", "team/two/deep")
        second = repo.commit("second")
        await harness.settle()
        assert value_of(harness)[2].hash == second
        repo.git("branch", "--delete", "--force", "team/one")
        await harness.settle()
        assert branches_of(harness) == ["main", "team/two/deep"]
        assert harness.clock.next_timer is None


async def test_a_local_repository_that_comes_and_goes_is_picked_up(
    tmp_path: Path, start: Start
) -> None:
    """Until it is there the failure says what to do; one without a commit has no branches."""
    path = tmp_path / "later"
    async with start(lambda: git.heads(git.Local(path))) as harness:
        await harness.settle()
        assert isinstance(harness.output, Failed)
        assert harness.output.message.startswith(f"{path} does not exist: name the folder")
        repo = Repo.init(path)
        await harness.settle()
        assert harness.output == Ok(())
        repo.commit("first")
        await harness.settle()
        assert branches_of(harness) == ["main"]


async def test_each_local_branch_has_a_pipeline(repo: Repo, start: Start) -> None:
    """`fetch` brings the commits of a local repository, too."""

    def pipeline() -> Current[list[str]]:
        return git.heads(git.Local(repo.path)).list_map(
            lambda head: command.output(git.fetch(head), ["cat", "a.txt"]),
            key=lambda head: head.ref,
        )

    async with start(pipeline) as harness:
        await harness.settle()
        assert harness.output == Ok(["one"])
        repo.git("switch", "--quiet", "--create", "next")
        repo.commit("second", a_txt="two")
        await harness.settle()
        assert harness.output == Ok(["one", "two"])


# Tags


@pytest.mark.parametrize("is_local", [True, False])
async def test_tags_come_in_the_order_of_versions(
    upstream: Repo, url: str, start: Start, is_local: bool
) -> None:
    """The newest first; annotated ones, and tags of tags, lead to their commits."""
    first = upstream.git("rev-parse", "HEAD")
    for name in ("v1.9", "v1.10", "v1.10-rc1", "nightly"):
        upstream.git("tag", name)
    upstream.git("tag", "--annotate", "--message=x", "v2.0")
    upstream.git("tag", "--annotate", "--message=x", "v2.0.1", "v2.0")
    upstream.git("push", "--quiet", "--tags", "served")
    source = git.Local(upstream.path) if is_local else url
    async with start(lambda: git.tags(source)) as harness:
        await harness.settle()
        tags = value_of(harness)
        names = ["v2.0.1", "v2.0", "v1.10", "v1.10-rc1", "v1.9", "nightly"]
        assert [tag.tag for tag in tags] == names
        assert {tag.hash for tag in tags} == {first}


def _in_order(*names: str) -> list[str]:
    hash = "1" * 40
    said = "".join(f"{hash}\trefs/tags/{name}\n" for name in sorted(names))
    found = listed(said, RefPattern("refs/tags/*"), "/repo", RefOrder.VERSIONS)
    return [str(tag.tag) for tag in found]


@pytest.mark.parametrize(
    "newest_first",
    [
        ("v1.0.1", "v1.0", "v1.0-rc.2", "v1.0-rc.1", "v1.0-beta"),
        ("2.0", "2.0rc1", "2.0b2", "2.0a1", "1.0.post1", "1.0", "1.0.dev1"),
        ("1.0.2b", "1.0.2a", "1.0.2"),
        ("v10", "9", "v8"),
        ("app-1.10.0", "app-1.9.0", "app-1.9.0-rc1", "v7", "latest"),
        ("2026.10.1", "2026.9.30"),
        ("v" + "9" * 5000, "v1"),
    ],
)
def test_versions_are_ordered_as_people_count(newest_first: tuple[str, ...]) -> None:
    """What leads to a release comes before it, and fixes after it."""
    assert _in_order(*newest_first) == list(newest_first)


# One ref


async def test_the_head_of_a_ref_is_followed(upstream: Repo, url: str, start: Start) -> None:
    """By its full name; it fails while there is none."""
    first = upstream.git("rev-parse", "HEAD")
    async with start(lambda: git.head_of(url, "refs/heads/next")) as harness:
        await harness.settle()
        assert harness.output == Failed(f"{url} has no ref refs/heads/next")
        push(upstream, "HEAD:refs/heads/next", "HEAD:refs/heads/x/refs/heads/next")
        await harness.advance(2 * MINUTE)
        assert harness.output == Ok(git.CommitId(url, "refs/heads/next", first))


async def test_the_main_branch_is_head(upstream: Repo, url: str, start: Start) -> None:
    """Of a remote repository, and of one on this machine."""
    local = git.Local(upstream.path)
    first = upstream.git("rev-parse", "HEAD")
    for source, address in ((url, url), (local, str(upstream.path))):
        async with start(lambda source=source: git.head_of(source)) as harness:
            await harness.settle()
            assert harness.output == Ok(git.CommitId(address, "HEAD", first))


# Names


async def test_a_repository_and_a_pattern_may_be_currents(url: str, start: Start) -> None:
    """Other values are other lists."""
    pattern = Var("pattern", "refs/heads/*")
    async with start(lambda: git.heads(constant(url), pattern.get())) as harness:
        await harness.settle()
        assert branches_of(harness) == ["main"]
        pattern.set("refs/tags/*")
        await harness.settle()
        assert harness.output == Ok(())
        pattern.set("main")
        await harness.settle()
        assert isinstance(harness.output, Failed)
        assert "write refs/heads/main" in harness.output.message


def test_names_that_can_not_be_used_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    """A server may list anything; the log says that something is missing."""
    good, bad = "1" * 40, "2" * 40
    said = "\n".join(
        [
            f"{good}\trefs/heads/main",
            f"{bad}\trefs/heads/a..b",
            f"{bad}\trefs/heads/-\x1b[31m",
            f"{bad}\trefs/heads/caf\udce9",
            "not-a-hash\trefs/heads/odd",
            f"{bad}\trefs/heads/x/refs/tags/y",
            f"{bad}\tHEAD",
            "noise",
            "",
        ]
    )
    found = listed(said, RefPattern("refs/heads/*"), "/repo", RefOrder.NAMES)
    assert [commit.ref for commit in found] == ["refs/heads/main", "refs/heads/x/refs/tags/y"]
    assert "/repo: 4 of its refs are left out" in caplog.text
    assert "\x1b" not in caplog.text


def _with_odd_ref(repository: Path) -> None:
    odd = [b"git", b"update-ref", b"refs/heads/\xff", b"HEAD"]
    subprocess.run(odd, cwd=repository, check=True)


async def test_a_name_that_is_no_text_does_not_hide_the_others(
    upstream: Repo, url: str, served: GitServer, start: Start
) -> None:
    """Git takes any bytes for a name."""
    _with_odd_ref(served.root / "team/shop.git")
    async with start(lambda: git.heads(url)) as harness:
        await harness.settle()
        assert branches_of(harness) == ["main"]


# Wrong types, too.
asked: Any = git


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: asked.heads(Path("/srv/shop")), "git.heads takes the address of a repository, or"),
        (lambda: asked.heads("shop"), "'shop' is not the address of a repository"),
        (lambda: asked.heads("--upload-pack=x"), "begins with -"),
        (lambda: asked.heads(URL, "main"), "write refs/heads/main"),
        (lambda: asked.heads(URL, "release-*"), "'release-*' is not a pattern of refs: write one"),
        (lambda: asked.heads(URL, "refs/heads/[ab]"), "only * is special"),
        (lambda: asked.heads(URL, "HEAD"), "git.heads lists refs, which HEAD is not"),
        (lambda: asked.heads(URL, 5), "git.heads takes a pattern of refs as a text, not 5"),
        (lambda: asked.heads(URL, every=5), "git.heads: every= takes a timedelta, not 5: write"),
        (lambda: asked.heads(URL, every=timedelta()), "every= must be longer than nothing"),
        (lambda: asked.heads(URL, every=constant(MINUTE)), "every= takes a timedelta, not Current"),
        (lambda: asked.heads(URL, token=""), "the token is empty"),
        (lambda: asked.heads(git.Local("/x"), every=MINUTE), "a git.Local is watched"),
        (lambda: asked.tags(URL, None), "git.tags takes a pattern of refs as a text, not None"),
        (lambda: asked.head_of(URL, "v1"), "write refs/heads/v1, or refs/tags/v1"),
        (lambda: asked.head_of(URL, "refs/heads/*"), "is not the name of a ref"),
    ],
)
def test_what_is_wrong_is_said_at_once(ask: Callable[[], object], message: str) -> None:
    """In the author's words, and where it was written."""
    with pytest.raises(UsageError, match=re.escape(message)):
        ask()


@pytest.mark.parametrize("kind", ["pull", "merge-requests"])
async def test_pull_requests_without_a_forge(
    upstream: Repo, url: str, start: Start, kind: str
) -> None:
    """A server and a repository here have them as refs, in the order of their numbers."""
    for number in (10, 9):
        upstream.git("push", "--quiet", "served", f"HEAD:refs/{kind}/{number}/head")
        upstream.git("update-ref", f"refs/{kind}/{number}/head", "HEAD")
    upstream.git("update-ref", f"refs/{kind}/9/merge", "HEAD")
    for repository in (url, git.Local(upstream.path)):
        pulls = git.heads(repository, f"refs/{kind}/*/head")
        async with start(lambda pulls=pulls: pulls) as harness:
            await harness.settle()
            names = [head.name for head in value_of(harness)]
            assert names == [f"{kind}/9", f"{kind}/10"]
            assert {head.branch for head in value_of(harness)} == {None}
