"""Private repositories: by token, by ssh key; and where secrets don't get to."""

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pycurrent.plugins import git
from pycurrent.term import Failed, Ok
from pycurrent.testing import Harness

from ..gitserver import TOKEN, GitServer
from ..repositories import Repo
from ..sshd import Sshd, new_key
from .conftest import push, serve
from .test_remote import add_submodule, files

Start = Callable[..., Harness]
PASSWORDLESS = "the server asks for credentials, and there are none for it: give a token"
REFUSED = "the server refuses the credentials (authentication failed)"


@pytest.fixture
def private(upstream: Repo, served: GitServer) -> str:
    """The address of a repository that asks for the token."""
    served.token = TOKEN
    return served.url("team/shop.git")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[GitServer]:
    """Another server, which lets anybody in and notes what it is shown."""
    root = tmp_path / "elsewhere"
    root.mkdir()
    server = GitServer(root)
    server.start()
    yield server
    server.stop()


async def test_a_token_opens_a_private_repository(private: str, start: Start) -> None:
    """For what is cloned, and for what is fetched."""
    async with start(lambda: files(git.clone(private, token=TOKEN))) as harness:
        await harness.settle()
        assert harness.output == Ok("a.txt=one")


async def test_a_token_may_be_made_when_it_is_needed(private: str, start: Start) -> None:
    """Those that expire are asked for each time."""

    async def make() -> str:
        return TOKEN

    async with start(lambda: files(git.clone(private, token=git.Token(make)))) as harness:
        await harness.settle()
        assert harness.output == Ok("a.txt=one")


@pytest.mark.parametrize(("token", "why"), [(None, PASSWORDLESS), ("wrong-token", REFUSED)])
async def test_without_the_token_it_says_what_is_missing(
    private: str, start: Start, token: str | None, why: str
) -> None:
    """Nobody is asked for one."""
    async with start(lambda: git.clone(private, token=token)) as harness:
        await harness.settle()
        assert harness.output == Failed(f"{private}: {why}")


async def test_a_token_is_nowhere_to_be_found(
    private: str, served: GitServer, start: Start, tmp_path: Path
) -> None:
    """Neither in the arguments or environment of a process, nor in any file afterwards; a
    helper of the user does not get it.
    """
    config = tmp_path / "config"
    config.write_text(f'[credential]\n\thelper = "store --file={tmp_path}/kept"\n')
    served.stall()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", str(config))
        async with start(lambda: git.clone(private, token=TOKEN)) as harness:
            await asyncio.to_thread(served.stalled.acquire)
            assert _processes_with("shop.git") > 0
            assert _processes_with(TOKEN) == 0
            served.go_on()
            await harness.settle()
            assert isinstance(harness.output, Ok)
            assert list(harness.engine.opened.state.tmp.iterdir()) == []
    assert not (tmp_path / "kept").exists()
    written = [file for file in (tmp_path / "state").rglob("*") if file.is_file()]
    assert [file for file in written if TOKEN.encode() in file.read_bytes()] == []


def _processes_with(text: str) -> int:
    """Of how many processes of ours the command line or environment holds it."""
    count = 0
    for process in Path("/proc").glob("[0-9]*"):
        if process.name == str(os.getpid()):
            continue
        try:
            told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        count += text.encode() in told
    return count


@pytest.mark.parametrize(("asks_first", "why"), [(False, PASSWORDLESS), (True, REFUSED)])
async def test_a_token_does_not_follow_a_redirect(
    private: str, served: GitServer, elsewhere: GitServer, start: Start, asks_first: bool, why: str
) -> None:
    """Neither if the server has not asked for it itself, nor if it has."""
    served.token = TOKEN if asks_first else None
    served.redirect = lambda path: elsewhere.url(path.lstrip("/"))
    elsewhere.token = "of its own"
    async with start(lambda: git.clone(private, token=TOKEN)) as harness:
        await harness.settle()
        assert harness.output == Failed(f"{private}: {why}")
    assert bool(served.authorizations) == asks_first
    assert elsewhere.requests
    assert elsewhere.authorizations == []


async def test_a_token_is_for_submodules_of_the_same_host_only(
    upstream: Repo,
    private: str,
    served: GitServer,
    elsewhere: GitServer,
    start: Start,
    tmp_path: Path,
) -> None:
    """What a commit names elsewhere does not see it."""
    for number, server in enumerate((served, elsewhere)):
        other = serve(Repo.init(tmp_path / str(number)), server, f"lib{number}.git")
        other.commit("library")
        push(other)
        add_submodule(upstream, server.url(f"lib{number}.git"), other, f"lib{number}")
    upstream.commit("with submodules")
    push(upstream)
    async with start(lambda: files(git.clone(private, token=TOKEN))) as harness:
        await harness.settle()
        assert harness.output == Ok("a.txt=one")
        elsewhere.token = "of its own"
        harness.engine.opened.state.git.rename(tmp_path / "gone")
        harness.engine.opened.state.git.mkdir()
        harness.find("clone").rebuild()
        await harness.settle()
        assert harness.output == Failed(
            f"submodule lib1: {elsewhere.url('lib1.git')}: {PASSWORDLESS}"
        )
    assert elsewhere.authorizations == []


@pytest.mark.parametrize(
    "setting",
    [
        "[credential]\n\tuseHttpPath = true",
        '[credential "{server}"]\n\tuseHttpPath = true',
        '[credential "{url}"]\n\tuseHttpPath = true\n\thelper = "!false"',
        '[credential "{server}"]\n\tusername = joe',
        "[credential]\n\tusername = joe\n\tuseHttpPath = true",
        "[http]\n\textraheader = Authorization: Basic b2xkOm9sZA==",
        '[http "{server}/"]\n\textraheader = AUTHORIZATION: basic b2xkOm9sZA==',
        '[http "{url}"]\n\textraheader = Authorization: Basic b2xkOm9sZA==',
        '[url "http://127.0.0.1:9/"]\n\tinsteadOf = {server}/',
        '[url "ssh://nowhere.invalid/"]\n\tinsteadOf = {server}/team/',
        "[core]\n\taskPass = false",
    ],
)
async def test_no_setting_of_the_user_is_in_a_tokens_way(
    private: str, served: GitServer, start: Start, tmp_path: Path, setting: str
) -> None:
    """It was given for this address."""
    config = tmp_path / "config"
    config.write_text(setting.format(server=f"http://{served.host}", url=private) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", str(config))
        async with start(lambda: files(git.clone(private, token=TOKEN))) as harness:
            await harness.settle()
            assert harness.output == Ok("a.txt=one")


async def test_a_netrc_is_not_in_a_tokens_way(
    private: str, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though curl looks there first."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login old password old\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    async with start(lambda: files(git.clone(private, token=TOKEN))) as harness:
        await harness.settle()
        assert harness.output == Ok("a.txt=one")


async def test_a_setting_that_leads_exactly_this_address_elsewhere_is_named(
    private: str, served: GitServer, start: Start, tmp_path: Path
) -> None:
    """With the ways out; nothing else is as exact."""
    config = tmp_path / "config"
    config.write_text(f'[url "ssh://h/x"]\n\tinsteadOf = {private}\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", str(config))
        async with start(lambda: git.clone(private, token=TOKEN)) as harness:
            await harness.settle()
            assert isinstance(harness.output, Failed)
            assert "insteadOf" in harness.output.message
            assert "leave out the credentials" in harness.output.message


@pytest.mark.parametrize("base", ["file://{root}/", "{root}/"])
async def test_without_credentials_the_users_addresses_hold(
    upstream: Repo, served: GitServer, start: Start, tmp_path: Path, base: str
) -> None:
    """As they do for git: a mirror on this machine, say."""
    config = tmp_path / "config"
    base = base.format(root=served.root)
    config.write_text(f'[url "{base}"]\n\tinsteadOf = https://example.invalid/\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", str(config))
        url = "https://example.invalid/team/shop.git"
        async with start(lambda: files(git.clone(url))) as harness:
            await harness.settle()
            assert harness.output == Ok("a.txt=one")


async def test_without_credentials_an_address_may_lead_to_ssh(
    sshd: Sshd, upstream: Repo, served: GitServer, start: Start, tmp_path: Path
) -> None:
    """Whose host is asked then, and has to be known."""
    config = tmp_path / "config"
    base = f"ssh://{sshd.user}@{sshd.host}:{sshd.port}{served.root}/"
    config.write_text(f'[url "{base}"]\n\tinsteadOf = https://example.invalid/\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", str(config))
        url = "https://example.invalid/team/shop.git"
        async with start(lambda: files(git.clone(url))) as harness:
            await harness.settle()
            assert isinstance(harness.output, Failed)
            assert "the key of the host is not known" in harness.output.message


# ssh


@pytest.fixture
def over_ssh(upstream: Repo, served: GitServer, sshd: Sshd) -> str:
    """The address of the repository over ssh."""
    place = served.root / "team" / "shop.git"
    return f"ssh://{sshd.user}@{sshd.host}:{sshd.port}{place}"


@pytest.fixture
def key(sshd: Sshd, tmp_path: Path) -> git.SshKey:
    """A key that the server takes, at a path that is not easily quoted, and its own key."""
    folder = tmp_path / "it's 100% a key"
    folder.mkdir()
    key = git.SshKey(new_key(folder / "id"), tmp_path / "known hosts")
    sshd.authorize(key.path)
    (tmp_path / "known hosts").write_text(sshd.known_hosts_line)
    return key


async def test_an_ssh_key_opens_a_private_repository(
    over_ssh: str, key: git.SshKey, start: Start
) -> None:
    """Wherever it lies."""
    async with start(lambda: files(git.clone(over_ssh, ssh_key=key))) as harness:
        await harness.settle()
        assert harness.output == Ok("a.txt=one")


async def test_a_key_that_the_server_does_not_know(
    over_ssh: str, key: git.SshKey, start: Start, tmp_path: Path
) -> None:
    """The failure says that it is the key."""
    other = git.SshKey(new_key(tmp_path / "other"), key.known_hosts)
    async with start(lambda: git.clone(over_ssh, ssh_key=other)) as harness:
        await harness.settle()
        assert harness.output == Failed(
            f"{over_ssh}: the server refuses the ssh key (authentication failed)"
        )


async def test_a_host_has_to_be_known(
    over_ssh: str, key: git.SshKey, start: Start, sshd: Sshd, tmp_path: Path
) -> None:
    """Nobody is asked whether it is the right one; and one with another key is not."""
    known = tmp_path / "known hosts"
    known.write_text("")
    async with start(lambda: git.clone(over_ssh, ssh_key=key)) as harness:
        await harness.settle()
        assert harness.output == Failed(
            f"{over_ssh}: the key of the host is not known: add it to known_hosts once you have "
            "checked it"
        )
        known.write_text(sshd.known_hosts_line)
        sshd.stop()
        sshd.change_host_key()
        sshd.start()
        harness.find("clone").rebuild()
        await harness.settle()
        assert harness.output == Failed(
            f"{over_ssh}: the host has another key than the one that is known: was it replaced, "
            "or is it somebody else's?"
        )


async def test_a_key_that_is_not_there(over_ssh: str, start: Start, tmp_path: Path) -> None:
    """Not a refusal by the server, but a path that is wrong."""
    key = git.SshKey(tmp_path / "missing")
    async with start(lambda: git.clone(over_ssh, ssh_key=key)) as harness:
        await harness.settle()
        assert harness.output == Failed(
            f"ssh needs the file {tmp_path / 'missing'}, which is missing"
        )
