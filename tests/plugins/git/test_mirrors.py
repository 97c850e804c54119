"""Mirrors that are damaged, interrupted, or refused: healed, or clear about why not."""

import asyncio
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from pycurrent.cache import Schedule
from pycurrent.errors import UsageError
from pycurrent.plugins import git
from pycurrent.plugins.git.address import RepositoryAddress
from pycurrent.plugins.git.diagnosis import Fault, diagnose
from pycurrent.term import Current, Failed, Ok, Var, constant, seq
from pycurrent.testing import Harness

from ..gitserver import GitServer
from ..repositories import Repo
from .conftest import push, serve
from .test_remote import NEVER, add_submodule, commit_id, copy_of, files

Start = Callable[..., Harness]
HOURLY = Schedule(valid_for=timedelta(hours=1))


def damage(mirror: Path) -> None:
    """Every object of it."""
    for file in (mirror / "objects").rglob("*"):
        if file.is_file():
            file.chmod(0o600)
            file.write_bytes(b"nothing of what was here")


async def test_a_lock_that_a_killed_git_has_left_is_removed(
    upstream: Repo, served: GitServer, start: Start, tmp_path: Path
) -> None:
    """Those of an engine before this one, and those of this one."""
    url = served.url("team/shop.git")
    locks = ["packed-refs.lock", "shallow.lock", "HEAD.lock", "refs/heads/main.lock"]
    async with start(lambda: files(git.clone(url, schedule=HOURLY))) as harness:
        await harness.settle()
        for number in range(2):
            upstream.commit("more", a_txt=f"more {number}")
            push(upstream)
            for name in locks:
                (copy_of(tmp_path) / name).touch()
            await harness.advance(timedelta(hours=2))
            assert harness.output == Ok(f"a.txt=more {number}")
    upstream.commit("last", a_txt="last")
    push(upstream)
    for name in locks:
        (copy_of(tmp_path) / name).touch()
    async with start(lambda: files(git.clone(url, schedule=HOURLY))) as harness:
        await harness.settle()
        harness.find("clone").rebuild()
        await harness.settle()
        assert harness.output == Ok("a.txt=last")


async def test_a_damaged_copy_is_made_anew(
    upstream: Repo, served: GitServer, start: Start, tmp_path: Path
) -> None:
    """When something is fetched to it; with all commits that it was to keep."""
    first = upstream.git("rev-parse", "HEAD")
    url = served.url("team/shop.git")
    async with start(lambda: files(git.clone(url, schedule=HOURLY))) as harness:
        await harness.settle()
        damage(copy_of(tmp_path))
        upstream.git("commit", "--quiet", "--amend", "--message=rewritten")
        upstream.commit("second", a_txt="two")
        push(upstream)
        await harness.advance(timedelta(hours=1))
        assert harness.output == Ok("a.txt=two")
        assert "by a new one" in harness.log("clone")
    assert [file.name for file in copy_of(tmp_path).parent.iterdir() if file.is_dir()] == [
        "shop.git"
    ]
    assert Repo(copy_of(tmp_path)).git("cat-file", "-t", first) == "commit"


async def test_a_checkout_that_finds_damage_has_it_mended(
    upstream: Repo, served: GitServer, start: Start, tmp_path: Path
) -> None:
    """It fails, and the job that fetched makes the mirror anew when it is rebuilt, or by itself
    after a restart.
    """
    hash = upstream.git("rev-parse", "HEAD")
    for mend_by_restart in (False, True):
        async with start(lambda: files(git.fetch(commit_id(served, hash)))) as harness:
            await harness.settle()
            assert harness.output == Ok("a.txt=one")
            damage(copy_of(tmp_path))
            harness.find("list-files").rebuild()
            await harness.settle()
            assert isinstance(harness.output, Failed)
            assert harness.output.message.endswith(": rebuild the job that fetched it")
            if not mend_by_restart:
                harness.find("fetch").rebuild()
                await harness.settle()
            harness.find("list-files").rebuild()
            await harness.settle()
            assert isinstance(harness.output, Failed) == mend_by_restart
    async with start(lambda: files(git.fetch(commit_id(served, hash)))) as harness:
        await harness.settle()
        harness.find("list-files").rebuild()
        await harness.settle()
        assert harness.output == Ok("a.txt=one")


@pytest.mark.parametrize("file", ["HEAD", "config", "packed-refs", "refs/heads/main"])
async def test_whatever_is_damaged_in_a_copy(
    upstream: Repo, served: GitServer, start: Start, tmp_path: Path, file: str
) -> None:
    """Files of refs and settings, too."""
    url = served.url("team/shop.git")
    async with start(lambda: files(git.clone(url, schedule=HOURLY))) as harness:
        await harness.settle()
        (copy_of(tmp_path) / file).write_bytes(b"\0\1 [rubbish\n")
        upstream.commit("second", a_txt="two")
        push(upstream)
        await harness.advance(timedelta(hours=2))
        assert harness.output == Ok("a.txt=two")


async def test_a_cancelled_fetch_ends_and_leaves_the_copy_usable(
    upstream: Repo, served: GitServer, start: Start
) -> None:
    """While the server sends nothing."""
    hash = upstream.git("rev-parse", "HEAD")
    served.stall()
    async with start(lambda: files(git.fetch(commit_id(served, hash)))) as harness:
        await asyncio.to_thread(served.stalled.acquire)
        harness.find("fetch").cancel("enough")
        await harness.settle()
        assert harness.output == Failed("Cancelled: enough")
        served.go_on()
        harness.find("fetch").rebuild()
        await harness.settle()
        assert harness.output == Ok("a.txt=one")


ENGINE = """
import asyncio, sys
from pycurrent.facade import Engine
from pycurrent.plugins import git

asyncio.run(Engine(lambda: git.clone(sys.argv[1]), state_dir=sys.argv[2]).run())
"""


async def test_an_engine_killed_in_the_middle_of_a_clone(
    upstream: Repo, served: GitServer, start: Start, tmp_path: Path
) -> None:
    """The next one goes on with what is there."""
    url = served.url("team/shop.git")
    served.stall()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", ENGINE, url, str(tmp_path / "state"))
    )
    await asyncio.to_thread(served.stalled.acquire)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    (copy_of(tmp_path) / "objects" / "pack" / "tmp_pack_half").write_bytes(b"PACK")
    (copy_of(tmp_path).parent / "new").mkdir()
    served.go_on()
    async with start(lambda: files(git.clone(url))) as harness:
        await harness.settle()
        assert harness.output == Ok("a.txt=one")
    left = [path.name for path in copy_of(tmp_path).parent.rglob("*")]
    assert "tmp_pack_half" not in left
    assert "new" not in left


async def test_what_many_fetches_have_brought_is_packed_together(
    upstream: Repo, served: GitServer, start: Start, tmp_path: Path
) -> None:
    """Without losing what is on no branch any more."""
    lost = upstream.commit("lost", a_txt="lost")
    push(upstream)
    url = served.url("team/shop.git")
    async with start(lambda: files(git.clone(url, schedule=HOURLY))) as harness:
        await harness.settle()
        upstream.git("reset", "--quiet", "--hard", "HEAD~")
        mirror = Repo(copy_of(tmp_path))
        for number in range(52):
            upstream.commit("more", a_txt=str(number))
            mirror.git("fetch", "--quiet", upstream.path, f"+HEAD:refs/tests/{number}")
        push(upstream)
        await harness.advance(timedelta(hours=2))
        assert harness.output == Ok("a.txt=51")
    assert len(list((mirror.path / "objects" / "pack").glob("*.pack"))) < 10
    mirror.git("fsck", "--strict")
    assert mirror.git("show", f"{lost}:a.txt") == "lost"


async def test_a_copy_that_is_gone_is_got_again_when_somebody_comes_to_need_it(
    upstream: Repo, served: GitServer, start: Start, tmp_path: Path
) -> None:
    """Also while others have the result."""
    wanted = commit_id(served, upstream.git("rev-parse", "HEAD"))
    second = Var("second", False)

    def pipeline() -> Current[list[object]]:
        more = second.get().bind(lambda on: files(git.fetch(wanted)) if on else constant("off"))
        return seq([git.fetch(wanted).map(lambda commit: commit.name), more])

    async with start(pipeline) as harness:
        await harness.settle()
        assert harness.output == Ok(["shop", "off"])
        copy_of(tmp_path).rename(tmp_path / "gone")
        second.set(True)
        await harness.settle()
        assert harness.output == Ok(["shop", "a.txt=one"])


# Submodules


async def test_submodules_that_move_come_and_go(
    upstream: Repo, served: GitServer, start: Start, tmp_path: Path
) -> None:
    """Each commit has those that it had; one whose address changes is taken from there."""
    lib = serve(Repo.init(tmp_path / "lib"), served, "lib.git")
    lib.commit("1", lib_txt="1")
    push(lib)
    url = served.url("team/shop.git")
    async with start(lambda: files(git.clone(url, schedule=HOURLY))) as harness:
        await harness.settle()
        add_submodule(upstream, "../../lib.git", lib, "one")
        assert await _after(harness, upstream) == Ok("a.txt=one one/lib.txt=1")
        lib.commit("2", lib_txt="2")
        push(lib)
        add_submodule(upstream, "../../lib.git", lib, "one")
        add_submodule(upstream, "../../lib.git", lib, "two")
        assert await _after(harness, upstream) == Ok("a.txt=one one/lib.txt=2 two/lib.txt=2")
        (served.root / "lib.git").rename(served.root / "moved.git")
        add_submodule(upstream, "../../moved.git", lib, "two")
        upstream.git("update-index", "--force-remove", "one")
        (upstream.path / "one").rmdir()
        assert await _after(harness, upstream) == Ok("a.txt=one two/lib.txt=2")


async def test_a_submodule_that_has_vanished(
    upstream: Repo, served: GitServer, start: Start, tmp_path: Path
) -> None:
    """Is named, with its address; where we have it already it does not matter."""
    lib = serve(Repo.init(tmp_path / "lib"), served, "lib.git")
    lib.commit("1", lib_txt="1")
    push(lib)
    add_submodule(upstream, "../../lib.git", lib, "lib")
    upstream.commit("with a submodule")
    push(upstream)
    url = served.url("team/shop.git")
    async with start(lambda: files(git.clone(url, schedule=HOURLY))) as harness:
        await harness.settle()
        (served.root / "lib.git").rename(served.root / "gone")
        upstream.commit("more", b_txt="b")
        push(upstream)
        await harness.advance(timedelta(hours=2))
        assert harness.output == Ok("a.txt=one b.txt=b lib/lib.txt=1")
        add_submodule(upstream, "../../other.git", lib, "other")
        assert await _after(harness, upstream) == Failed(
            f"submodule other: {served.url('other.git')}: there is no such repository, or it is "
            "hidden from you"
        )


async def _after(harness: Harness, upstream: Repo) -> object:
    upstream.commit("next")
    push(upstream)
    await harness.advance(timedelta(hours=2))
    return harness.output


@pytest.mark.parametrize(
    "url",
    [
        "--upload-pack=touch hacked",
        "ext::sh -c touch% hacked",
        "file:///etc",
        "/etc",
        "ssh://-oProxyCommand=touch hacked/x",
        "git@-oProxyCommand=touch:x",
        "../../../../../etc",
        "https://user:password@example.org/x",
        "",
    ],
)
async def test_hostile_submodules_are_refused(
    upstream: Repo, served: GitServer, start: Start, tmp_path: Path, url: str
) -> None:
    """Before git sees them."""
    add_submodule(upstream, url, upstream, "lib")
    upstream.commit("hostile")
    push(upstream)
    async with start(lambda: git.clone(served.url("team/shop.git"))) as harness:
        await harness.settle()
        assert isinstance(harness.output, Failed)
        assert harness.output.message.startswith("submodule lib: ")
        assert "password@" not in harness.output.message
    assert len(list((tmp_path / "state" / "git").iterdir())) == 1
    assert list(tmp_path.rglob("hacked")) == []


# Addresses


@pytest.mark.parametrize(
    "text",
    [
        "https://example.org/shop.git",
        "http://localhost:8080/shop",
        "ssh://git@example.org:2222/~joe/shop",
        "git@example.org:team/shop.git",
        "git://example.org/shop",
        "file:///srv/git/shop.git",
        "/srv/git/shop.git",
        "https://[::1]:8443/shop",
    ],
)
def test_addresses(text: str) -> None:
    """They stay as they are, and the folder says what it is for."""
    address = RepositoryAddress.of(text)
    assert str(address) == text
    assert address.name == "shop"
    assert "shop-" in address.folder_name
    assert "/" not in address.folder_name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "shop",
        "../shop",
        "--upload-pack=x",
        "-x:y",
        "ext::sh -c true",
        "ssh://-x/y",
        "ssh://-x@host/y",
        "host:-x",
        "https://joe:secret@example.org/x",
        "https://example.org",
        "ftp://example.org/x",
        "https://example.org/x\n--y",
        "C:\\shop\0",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """With a reason that shows no password."""
    with pytest.raises(UsageError) as refusal:
        RepositoryAddress.of(text)
    assert "secret" not in str(refusal.value)


def test_addresses_that_read_alike_have_folders_of_their_own() -> None:
    """A mirror is never that of another repository."""
    texts = [
        "https://h/a/b",
        "https://h/a-b",
        "http://h/a/b",
        "ssh://h/a/b",
        "h:a/b",
        "https://h/A/b",
    ]
    assert len({RepositoryAddress.of(text).folder_name for text in texts}) == len(texts)


@pytest.mark.parametrize(
    ("base", "url", "result"),
    [
        ("https://h/a/b.git", "../c.git", "https://h/a/c.git"),
        ("https://h/a/b/", "./c", "https://h/a/b/c"),
        ("git@h:a/b.git", "../../c.git", "git@h:c.git"),
        ("ssh://git@h:22/a/b", "../../c/../d", "ssh://git@h:22/d"),
        ("https://h/a", "https://other/b", "https://other/b"),
    ],
)
def test_addresses_of_submodules(base: str, url: str, result: str) -> None:
    """Relative ones as git has them."""
    assert str(RepositoryAddress.of(base).resolve(url)) == result


# Causes


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("http://127.0.0.1:1/x.git", "nothing answers at 127.0.0.1:1 (connection refused)"),
        ("git://127.0.0.1:1/x.git", "nothing answers there (connection refused)"),
        ("ssh://127.0.0.1:1/x.git", "nothing answers at 127.0.0.1:1 (Connection refused)"),
        ("http://no-such-host.invalid/x.git", "no such host: no-such-host.invalid"),
        ("ssh://no-such-host.invalid/x.git", "no such host: no-such-host.invalid"),
        ("file:///nowhere/x.git", "there is no such repository, or it is hidden from you"),
        ("/nowhere/x.git", "there is no such repository, or it is hidden from you"),
    ],
)
async def test_the_failure_says_why_nothing_comes(start: Start, address: str, why: str) -> None:
    """In a line."""
    async with start(lambda: git.clone(address, retry=NEVER)) as harness:
        await harness.settle()
        assert harness.output == Failed(f"{address}: {why}")


async def test_refs_and_repositories_that_are_not_there(
    upstream: Repo, served: GitServer, start: Start
) -> None:
    """They are named, and a repository without a commit has no HEAD."""
    url = served.url("team/shop.git")
    async with start(lambda: git.clone(url, gref="refs/heads/none")) as harness:
        await harness.settle()
        assert harness.output == Failed(f"{url}: it has no ref refs/heads/none")
    async with start(lambda: git.clone(served.url("none.git"))) as harness:
        await harness.settle()
        assert harness.output == Failed(
            f"{served.url('none.git')}: there is no such repository, or it is hidden from you"
        )
    Repo.init(served.root / "empty.git", "--bare")
    async with start(lambda: git.clone(served.url("empty.git"))) as harness:
        await harness.settle()
        assert harness.output == Failed(
            f"{served.url('empty.git')}: it has no ref HEAD, as no branch has a commit yet: push "
            "one"
        )
    upstream.git("--git-dir", served.root / "team/shop.git", "symbolic-ref", "HEAD", "refs/heads/x")
    async with start(lambda: git.clone(url)) as harness:
        await harness.settle()
        assert harness.output == Failed(
            f"{url}: its HEAD is on a branch that it does not have: name one by gref=, such as "
            "refs/heads/main"
        )


async def test_bad_names_are_refused_in_the_pipeline(start: Start) -> None:
    """Where they come from elsewhere they are a failure of that component."""
    async with start(lambda: git.clone("--upload-pack=touch hacked")) as harness:
        await harness.settle()
        assert isinstance(harness.output, Failed)
        assert "is not the address of a repository" in harness.output.message
    with pytest.raises(UsageError, match="token is empty"):
        git.clone("https://example.org/x", token="")
    with pytest.raises(UsageError, match="depth must be 1"):
        git.clone("https://example.org/x", depth=0)


async def test_repositories_of_this_machine(repo: Repo, start: Start, tmp_path: Path) -> None:
    """Whom the user names is asked, whichever way."""
    async with start(lambda: files(git.clone(str(repo.path)))) as harness:
        await harness.settle()
        assert harness.output == Ok("a.txt=one")
    async with start(lambda: files(git.clone(f"file://{repo.path}"))) as harness:
        await harness.settle()
        assert harness.output == Ok("a.txt=one")


async def test_a_repository_by_git_daemon(by_daemon: str, start: Start) -> None:
    """By git's own protocol."""
    async with start(lambda: files(git.clone(by_daemon))) as harness:
        await harness.settle()
        assert harness.output == Ok("a.txt=one")


@pytest.mark.parametrize(
    ("said", "fault", "text"),
    [
        (
            "fatal: could not open '/x/objects/pack/tmp_pack_7t' for reading: "
            "No such file or directory\nfatal: fetch-pack: invalid index-pack output\n",
            Fault.DISTURBED,
            "somebody has removed objects/pack/tmp_pack_7t, which was being fetched",
        ),
        (
            "fatal: write error: No space left on device\nfatal: fetch-pack: invalid index-pack "
            "output\n",
            Fault.OTHER,
            "no space is left on the disk",
        ),
        (
            "error: Server does not allow request for unadvertised object 1234\n",
            Fault.NO_COMMIT,
            "the server does not give the commit",
        ),
        (
            "remote: fatal: bad object 1234\nfatal: early EOF\n",
            Fault.OTHER,
            "the connection broke off",
        ),
        (
            "error: object file /x/objects/12/34 is empty\nfatal: bad object HEAD\n",
            Fault.DAMAGED,
            "the mirror is damaged (object file /x/objects/12/34 is empty)",
        ),
        ("warning: odd\nfatal: something new\n", Fault.OTHER, "something new"),
        (
            "fatal: unable to access 'https://h/x/': SSL certificate problem: self-signed "
            "certificate\n",
            Fault.OTHER,
            "the certificate of the host is not valid (self-signed certificate)",
        ),
    ],
)
def test_causes(said: str, fault: Fault, text: str) -> None:
    """As git says them."""
    found = diagnose(said)
    assert found is not None
    assert (found.fault, found.text) == (fault, text)


def test_nothing_said_is_no_cause() -> None:
    """A git that was killed, say."""
    assert diagnose("\n") is None
