"""Why git has failed: by its own words, whatever names are among them."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pycurrent.plugins import git
from pycurrent.plugins.git.diagnosis import Fault, diagnose
from pycurrent.term import Failed, FailureKind, Ok
from pycurrent.testing import Harness

from ..gitserver import GitServer
from ..repositories import Repo
from ..sshd import Sshd, new_key
from .conftest import push
from .test_remote import commit_id, files

Start = Callable[..., Harness]

# Each is what some other failure says.
MISLEADING = [
    "corrupt",
    "not a git repository",
    "bad object",
    "bad config",
    "no space left on device",
    "connection refused",
    "connection reset",
    "early EOF",
    "hung up",
    "timed out",
    "Authentication failed for x",
    "returned error: 403",
    "returned error: 404",
    "couldn't find remote ref x",
    "not our ref",
    "Permission denied (publickey)",
    "repository not found",
    "dubious ownership",
]


@pytest.mark.parametrize("word", MISLEADING)
@pytest.mark.parametrize(
    ("said", "fault", "text"),
    [
        (
            "fatal: unable to access 'https://h/{}.git/': Recv failure: Broken something",
            Fault.OTHER,
            "unable to access 'https://h/{}.git/': Recv failure: Broken something",
        ),
        (
            "error: something\nfatal: could not open '/srv/{}/x' for writing: odd",
            Fault.OTHER,
            "could not open '/srv/{}/x' for writing: odd",
        ),
        (
            "error: pathspec 'it's {}' did not match any files known to git",
            Fault.OTHER,
            "pathspec 'it's {}' did not match any files known to git",
        ),
        (
            "error: unable to create file {}: File name too odd",
            Fault.OTHER,
            "unable to create file {}: File name too odd",
        ),
        (
            "fatal: {}: smudge filter own failed odd",
            Fault.OTHER,
            "{}: smudge filter own failed odd",
        ),
        ("remote: {}\nfatal: what it is", Fault.OTHER, "what it is"),
        ("hint: {}\nwarning: {}\nfatal: what it is", Fault.OTHER, "what it is"),
        ("*** {} ***\n{}\nHost key verification failed.", Fault.OTHER, "the key of the host is"),
        ("\t{}\nerror: what it is\n\t{}", Fault.OTHER, "what it is"),
        (
            "From https://h/{}\n * [new branch] {} -> {}\nfatal: what it is",
            Fault.OTHER,
            "what it is",
        ),
        (
            "fatal: couldn't find remote ref refs/heads/{}",
            Fault.NO_REF,
            "it has no ref refs/heads/{}",
        ),
    ],
)
def test_names_and_lines_of_others_are_no_cause(
    said: str, fault: Fault, text: str, word: str
) -> None:
    """Paths, addresses, refs, banners, hints, and what a server tells its users."""
    name = word.replace(" ", "-").replace(":", "") if "refs/" in said else word
    found = diagnose(said.replace("{}", name))
    assert found is not None
    assert found.fault is fault
    assert found.text.startswith(text.replace("{}", name))


@pytest.mark.parametrize(
    ("said", "text", "is_infra"),
    [
        (
            "fatal: unable to access 'https://h/corrupt.git/': Recv failure: Connection reset by "
            "peer\n",
            "the connection broke off",
            True,
        ),
        (
            "fatal: unable to access 'https://h/x.git/': The requested URL returned error: 503",
            "the server is out of order (HTTP status 503)",
            True,
        ),
        (
            "fatal: unable to access 'https://h/': Could not resolve host: corrupt.example",
            None,
            True,
        ),
        (
            "fatal: detected dubious ownership in repository at '/srv/it's x'\nTo add an "
            "exception for this directory, call:\n\n\tgit config ...\n"
            "fatal: Could not read from remote repository.\n\nPlease make sure you have the\n",
            "/srv/it's x belongs to another user: if you trust it, "
            "git config --global --add safe.directory /srv/it's x",
            False,
        ),
        (
            "\x1b[31merror\x1b[m: first\nfatal: Could not read from remote repository.\n",
            "first",
            False,
        ),
        ("git@h: Permission denied (publickey).\nfatal: Could not read from remote", None, False),
        (
            "fatal: unable to access 'https://h/x.git/': SSL certificate problem: certificate has "
            "expired",
            "the certificate of the host is not valid (certificate has expired)",
            True,
        ),
        (
            "fatal: unable to access 'https://h/x.git/': Failed to connect to h port 1 after 0 ms: "
            "Couldn't connect to server",
            "nothing answers at h:1 (connection refused)",
            True,
        ),
        (
            "fatal: unable to access 'http://localhost:1/x.git/': Failed to connect to localhost "
            "port 1 after 0 ms: Couldn't connect to server",
            "nothing answers at localhost:1 (connection refused)",
            False,
        ),
        (
            "ssh: connect to host 127.0.0.1 port 1: Connection refused\nfatal: Could not read from",
            None,
            False,
        ),
        ("Connection closed by 1.2.3.4 port 22\nfatal: Could not read from", None, True),
    ],
)
def test_what_the_cause_is(said: str, text: str | None, is_infra: bool) -> None:
    """And whether the work or the network is at fault."""
    found = diagnose(said)
    assert found is not None
    assert found.is_infra == is_infra
    assert text in {None, found.text}
    assert (found.failure_kind is FailureKind.INFRA) == is_infra


@pytest.mark.parametrize(
    ("said", "is_damage"),
    [
        ("fatal: bad config line 1 in file /state/git/x/shop.git/config", True),
        ("fatal: bad config line 1 in file /home/joe/.gitconfig", False),
        ("fatal: bad config line 1 in file .git/config", False),
        ("fatal: bad config variable 'a.b' in file '/etc/gitconfig' at line 3", False),
        ("error: object file /srv/repo/objects/12/34 is empty", False),
        ("error: object file /state/git/x/shop.git/objects/12/34 is empty", True),
        ("fatal: bad object HEAD", True),
        ("fatal: not a git repository: '/state/git/x/shop.git'", True),
        ("fatal: not a git repository: '/state/git/x/shop.git-other'", False),
    ],
)
def test_only_its_own_files_are_damage_of_a_copy(said: str, is_damage: bool) -> None:
    """Not those of the user, nor of the repository that it is a mirror of."""
    found = diagnose(said, Path("/state/git/x/shop.git"))
    assert found is not None
    assert (found.fault is Fault.DAMAGED) == is_damage


# The real thing


async def test_a_fault_in_the_users_settings_is_told(
    upstream: Repo, served: GitServer, start: Start, tmp_path: Path
) -> None:
    """The mirror is left as it is."""
    url = served.url("team/shop.git")
    async with start(lambda: git.clone(url)) as harness:
        await harness.settle()
        config = tmp_path / "config"
        config.write_text("[oops\n")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("GIT_CONFIG_GLOBAL", str(config))
            harness.find("clone").rebuild()
            await harness.settle()
        assert harness.output == Failed(f"{url}: bad config line 1 in file {config}")
        assert "made anew" not in harness.log("clone")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
async def test_a_repository_of_somebody_else_is_told(repo: Repo, start: Start) -> None:
    """With the command that helps: for checkouts, and for clones by path and by address."""
    for path in [repo.path, *repo.path.rglob("*")]:
        os.lchown(path, 1234, 1234)
    for make in (
        lambda: git.clone(str(repo.path)),
        lambda: git.clone(f"file://{repo.path}"),
        lambda: files(git.Local(repo.path).head_commit()),
    ):
        async with start(make) as harness:
            await harness.settle()
            assert isinstance(harness.output, Failed)
            assert "belongs to another user" in harness.output.message
            assert f"git config --global --add safe.directory {repo.path}" in harness.output.message
            assert "rebuild" not in harness.output.message


@pytest.mark.parametrize(
    "filter", ["process = no-such-lfs filter-process", "smudge = no-such-lfs smudge -- %f"]
)
async def test_a_filter_that_is_not_there_is_named(
    upstream: Repo, served: GitServer, start: Start, tmp_path: Path, filter: str
) -> None:
    """No rebuild of what was fetched would help."""
    hash = upstream.commit("large", _gitattributes="*.txt filter=lfs\n")
    push(upstream)
    config = tmp_path / "config"
    config.write_text(f'[filter "lfs"]\n\t{filter}\n\trequired = true\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", str(config))
        async with start(lambda: files(git.fetch(commit_id(served, hash)))) as harness:
            await harness.settle()
            assert harness.output == Failed(
                f"can't check out shop {hash[:10]}: there is no no-such-lfs here, which your git "
                "settings run as a filter: install it"
            )


@pytest.fixture
def banner(tmp_path: Path, upstream: Repo, served: GitServer) -> Iterator[tuple[Sshd, Path]]:
    """A server with a misleading banner, and a key that it lets in."""
    text = "\n".join(f"error: {word}\nfatal: {word}\n{word}" for word in MISLEADING)
    (tmp_path / "banner").write_text(f"{text}\n")
    server = Sshd(tmp_path / "sshd", options=[f"Banner {tmp_path}/banner"])
    key = new_key(tmp_path / "id")
    server.authorize(key)
    server.start()
    yield server, key
    server.stop()


async def test_a_banner_is_no_cause(
    banner: tuple[Sshd, Path], served: GitServer, start: Start, tmp_path: Path
) -> None:
    """Whatever it says."""
    server, key = banner
    known = tmp_path / "known"
    known.write_text(server.known_hosts_line)
    ssh_key = git.SshKey(key, known)
    url = f"ssh://{server.user}@{server.host}:{server.port}{served.root}/team/shop.git"
    async with start(lambda: files(git.clone(url, ssh_key=ssh_key))) as harness:
        await harness.settle()
        assert harness.output == Ok("a.txt=one")
    async with start(lambda: git.clone(url, gref="refs/heads/none", ssh_key=ssh_key)) as harness:
        await harness.settle()
        assert harness.output == Failed(f"{url}: it has no ref refs/heads/none")
