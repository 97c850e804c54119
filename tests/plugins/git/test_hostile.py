"""What the commits of outsiders can say: nothing about anything but their own checkout."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pycurrent.errors import UsageError
from pycurrent.plugins import git
from pycurrent.plugins.git.address import RepositoryAddress
from pycurrent.plugins.git.gitmodules import submodules_of
from pycurrent.plugins.git.mirror import Mirror
from pycurrent.term import Failed, Failure, Ok
from pycurrent.testing import Harness

from ..gitserver import GitServer
from ..repositories import Repo
from .conftest import push, serve
from .test_remote import files

Start = Callable[..., Harness]


def add_submodules(
    repo: Repo, url: str, other: Repo, *names: str, path: str = "", more: str = ""
) -> None:
    """As a hostile tool does, which checks nothing: at paths lib0, lib1, ..."""
    hash = other.git("rev-parse", "HEAD")
    for number, name in enumerate(names):
        place = path or f"lib{number}"
        setting = f'[submodule "{name}"]\n\tpath = "{place}"\n\turl = {url}\n{more}'
        with (repo.path / ".gitmodules").open("a") as file:
            file.write(setting.replace("\\", "\\\\"))
        repo.git("update-index", "--add", "--cacheinfo", f"160000,{hash},lib{number}")
    repo.git("add", "--force", ".gitmodules")
    repo.git("commit", "--quiet", "--message=hostile")


@pytest.fixture
def lib(served: GitServer, tmp_path: Path) -> Repo:
    """A repository that may be a submodule, served as lib.git."""
    lib = serve(Repo.init(tmp_path / "lib"), served, "lib.git")
    lib.commit("1", lib_txt="lib")
    push(lib)
    return lib


def everything(folder: Path, but: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*") if but not in (path, *path.parents))


NAMES = [
    "../../../../x",
    "..",
    "../x",
    "a/../../x",
    "a/..",
    "..\\x",
    "a\\..\\..\\x",
    "a/..\\x",
    "/..",
    ".",
    "/",
    "./",
    "",
    "a\x7f",
]


@pytest.mark.parametrize("name", NAMES)
async def test_names_of_submodules_do_not_lead_out(
    upstream: Repo, served: GitServer, lib: Repo, start: Start, tmp_path: Path, name: str
) -> None:
    """Neither where a commit is fetched, nor in a checkout of what is here already; nothing is
    made anywhere.
    """
    add_submodules(upstream, "../../lib.git", lib, name)
    push(upstream)
    state = tmp_path / "state"
    before = everything(tmp_path, but=state)
    url = served.url("team/shop.git")
    refused = Failed(f"{name!r} is not the name of a submodule: git refuses it, too")
    async with start(lambda: files(git.clone(url))) as harness:
        await harness.settle()
        assert harness.output == refused
        assert [folder.name for folder in harness.engine.opened.state.git.iterdir()] == [
            RepositoryAddress.of(url).folder_name
        ]
    local = git.Local(upstream.path)
    async with start(lambda: files(local.head_commit())) as harness:
        await harness.settle()
        assert harness.output == refused
        await harness.engine.opened.host.trash.emptied()
        assert list(harness.engine.opened.state.tmp.iterdir()) == []
    assert everything(tmp_path, but=state) == before


@pytest.mark.parametrize(
    "path",
    [
        "../x",
        "/etc",
        "a/../../x",
        "-x",
        "a//b",
        "lib0/",
        "",
        ".git/hooks",
        "a/.GIT/x",
        ".",
        "a\x01",
    ],
)
async def test_paths_of_submodules_stay_in_the_checkout(
    upstream: Repo, served: GitServer, lib: Repo, start: Start, tmp_path: Path, path: str
) -> None:
    """And they are not in its own repository."""
    add_submodules(upstream, "../../lib.git", lib, "lib", path=path or '"')
    if not path:
        text = (upstream.path / ".gitmodules").read_text().replace('"""', '""')
        upstream.commit("empty", _gitmodules=text)
    push(upstream)
    async with start(lambda: files(git.clone(served.url("team/shop.git")))) as harness:
        await harness.settle()
        assert harness.output == Failed(
            f"{path!r} is not the path of a submodule: git refuses it, too"
        )


@pytest.mark.parametrize(
    "names", [("a", "a/hooks"), ("a/b/c", "a"), ("a", "./a"), ("a", "a//"), ("a", "x", "a/x/..y")]
)
async def test_no_clone_of_a_submodule_is_within_anothers(
    upstream: Repo, served: GitServer, lib: Repo, start: Start, names: tuple[str, ...]
) -> None:
    """It would have a say about that one's hooks and settings."""
    add_submodules(upstream, "../../lib.git", lib, *names)
    push(upstream)
    async with start(lambda: files(git.clone(served.url("team/shop.git")))) as harness:
        await harness.settle()
        assert isinstance(harness.output, Failed)
        assert "would have their clones in one folder" in harness.output.message


async def test_odd_names_that_git_takes_are_taken(
    upstream: Repo, served: GitServer, lib: Repo, start: Start
) -> None:
    """Whatever does not lead out."""
    names = ["a b", "..c", "x/y..z", "-d", "/abs", "~", "$(touch hacked)", "'", "e=f", "a.b.url"]
    add_submodules(upstream, "../../lib.git", lib, *names)
    push(upstream)
    expected = " ".join(["a.txt=one", *(f"lib{n}/lib.txt=lib" for n in range(len(names)))])
    async with start(lambda: files(git.clone(served.url("team/shop.git")))) as harness:
        await harness.settle()
        assert harness.output == Ok(expected)


async def test_paths_that_look_like_patterns_are_paths(
    upstream: Repo, served: GitServer, lib: Repo, start: Start
) -> None:
    """Git has a language of its own for paths, which is not for outsiders to use."""
    hash = lib.git("rev-parse", "HEAD")
    paths = [":(top)x", ":!y", "*", "[z]"]
    text = ""
    for path in paths:
        text += f'[submodule "{paths.index(path)}"]\n\tpath = "{path}"\n\turl = ../../lib.git\n'
        upstream.git("update-index", "--add", "--cacheinfo", f"160000,{hash},{path}")
    (upstream.path / ".gitmodules").write_text(text)
    upstream.git("add", "--force", ".gitmodules")
    upstream.git("commit", "--quiet", "--message=odd")
    push(upstream)
    async with start(lambda: files(git.clone(served.url("team/shop.git")))) as harness:
        await harness.settle()
        assert isinstance(harness.output, Ok)
        assert sorted(harness.output.value.split()) == sorted(
            ["a.txt=one", *(f"{path}/lib.txt=lib" for path in paths)]
        )


async def test_a_command_in_gitmodules_is_not_run(
    upstream: Repo, served: GitServer, lib: Repo, start: Start, tmp_path: Path
) -> None:
    """Git takes one from its own settings only."""
    more = f"\tupdate = !touch {tmp_path}/hacked\n"
    add_submodules(upstream, "../../lib.git", lib, "lib", more=more)
    push(upstream)
    async with start(lambda: files(git.clone(served.url("team/shop.git")))) as harness:
        await harness.settle()
        assert isinstance(harness.output, Failed)
        assert "submodule.lib.update" in harness.output.message
    assert list(tmp_path.rglob("hacked")) == []


async def test_gitmodules_that_git_cannot_read_are_told(
    upstream: Repo, served: GitServer, start: Start
) -> None:
    """They are not taken for none."""
    upstream.commit("broken", _gitmodules='[submodule "lib"]\n\tpath = lib\n[oops\n')
    push(upstream)
    async with start(lambda: files(git.clone(served.url("team/shop.git")))) as harness:
        await harness.settle()
        assert harness.output == Failed("line 3 of .gitmodules is malformed: git can't read it")


async def test_the_gitmodules_that_were_checked_are_those_that_git_reads(
    upstream: Repo, served: GitServer, lib: Repo, start: Start
) -> None:
    """An attribute may give the file in the checkout another text; nothing is got for that."""
    add_submodules(upstream, "../../lib.git", lib, "lib")
    attributes = upstream.path / ".git" / "attributes"
    attributes.write_text(".gitmodules working-tree-encoding=UTF-16\n")
    blob = upstream.git("hash-object", "-w", attributes)
    upstream.git("update-index", "--add", "--cacheinfo", f"100644,{blob},.gitattributes")
    upstream.git("commit", "--quiet", "--message=encoded")
    push(upstream)
    async with start(lambda: files(git.clone(served.url("team/shop.git")))) as harness:
        await harness.settle()
        assert isinstance(harness.output, Failed)


async def test_submodules_without_an_end(upstream: Repo, served: GitServer, start: Start) -> None:
    """Each commit has the one before as a submodule, twice."""
    for _ in range(40):
        (upstream.path / ".gitmodules").unlink(missing_ok=True)
        add_submodules(upstream, "../shop.git", upstream, "a", "b")
    push(upstream)
    async with start(lambda: git.clone(served.url("team/shop.git"))) as harness:
        await harness.settle()
        assert isinstance(harness.output, Failed)
        assert harness.output.message.endswith(
            "submodules are nested more than 32 deep: do they form a loop?"
        )


# Trees


def tree(repo: Repo, *entries: tuple[str, str, str]) -> str:
    """The hash of one with entries of (mode, name, hash), as `git mktree` would not write it."""
    data = b"".join(
        f"{mode} {name}\0".encode() + bytes.fromhex(hash) for mode, name, hash in entries
    )
    done = subprocess.run(
        ["git", "hash-object", "-t", "tree", "-w", "--literally", "--stdin"],
        cwd=repo.path,
        input=data,
        check=True,
        capture_output=True,
    )
    return done.stdout.decode().strip()


@pytest.mark.parametrize(
    "name", [".git", ".GIT", ".gIt", "git~1", "GIT~1", ".g\u200cit", "..", "."]
)
async def test_files_that_would_be_the_repository_are_refused(
    upstream: Repo, served: GitServer, start: Start, tmp_path: Path, name: str
) -> None:
    """Also by their names on the file systems of others, whatever the user's settings say."""
    config = tmp_path / "config"
    config.write_text("[core]\n\tprotectNTFS = false\n\tprotectHFS = false\n")
    blob = upstream.git("rev-parse", "HEAD:a.txt")
    inner = tree(upstream, ("100644", "config", blob))
    hash = upstream.git("commit-tree", "-m", "hostile", tree(upstream, ("40000", name, inner)))
    upstream.git("update-ref", "refs/heads/main", hash)
    push(upstream)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", str(config))
        async with start(lambda: files(git.clone(served.url("team/shop.git")))) as harness:
            await harness.settle()
            assert isinstance(harness.output, Failed)
            await harness.engine.opened.host.trash.emptied()
            assert list(harness.engine.opened.state.tmp.iterdir()) == []


async def test_a_submodule_is_not_put_behind_a_link(
    upstream: Repo, served: GitServer, lib: Repo, start: Start, tmp_path: Path
) -> None:
    """By a tree that has a link and a folder of one name."""
    outside = tmp_path / "outside"
    outside.mkdir()
    link = upstream.path / "link"
    link.symlink_to(outside)
    upstream.commit("link", _gitmodules='[submodule "l"]\n\tpath = d/l\n\turl = ../../lib.git\n')
    blob = upstream.git("rev-parse", "HEAD:link")
    modules = upstream.git("rev-parse", "HEAD:.gitmodules")
    inner = tree(upstream, ("160000", "l", lib.git("rev-parse", "HEAD")))
    root = tree(
        upstream, ("100644", ".gitmodules", modules), ("120000", "d", blob), ("40000", "d", inner)
    )
    upstream.git("update-ref", "refs/heads/main", upstream.git("commit-tree", "-m", "x", root))
    push(upstream)
    async with start(lambda: files(git.clone(served.url("team/shop.git")))) as harness:
        await harness.settle()
    assert list(outside.iterdir()) == []


async def test_a_link_for_gitmodules_is_refused(
    upstream: Repo, served: GitServer, start: Start, tmp_path: Path
) -> None:
    """What it leads to was not checked."""
    (tmp_path / "modules").write_text('[submodule "../../x"]\n\tpath = x\n\turl = ../../lib.git\n')
    (upstream.path / ".gitmodules").symlink_to(tmp_path / "modules")
    blob = upstream.git("hash-object", "-w", "a.txt")
    root = tree(upstream, ("120000", ".gitmodules", blob))
    upstream.git("update-ref", "refs/heads/main", upstream.git("commit-tree", "-m", "x", root))
    push(upstream)
    async with start(lambda: files(git.clone(served.url("team/shop.git")))) as harness:
        await harness.settle()
        assert isinstance(harness.output, Failed)
        assert ".gitmodules" in harness.output.message


def test_a_copy_that_is_here_already_is_checked(repo: Repo, tmp_path: Path) -> None:
    """Where a commit is read, not where it came in: it may have come in long ago."""
    add_submodules(repo, "../lib.git", repo, "../x")
    mirror = Mirror(tmp_path / "git", RepositoryAddress.of("https://example.org/shop.git"))
    mirror.make()
    subprocess.run(
        ["git", f"--git-dir={mirror.repository}", "fetch", "--quiet", repo.path, "HEAD"], check=True
    )
    with pytest.raises(Failure, match="is not the name of a submodule"):
        submodules_of(mirror.repository, repo.git("rev-parse", "HEAD"))
    assert sorted(path.name for path in mirror.container.iterdir()) == ["copy.json", "shop.git"]


# Names


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/x%0ahost=evil.example.org",
        "https://example.org/x%0d",
        "https://example.org/%00",
        "git@example.org:x%0Ay",
    ],
)
def test_addresses_with_hidden_control_characters_are_refused(url: str) -> None:
    """What asks for credentials takes a line for each thing that it says."""
    for refused in (
        lambda: RepositoryAddress.of(url),
        lambda: RepositoryAddress.of("https://example.org/shop").resolve(url),
        lambda: git.CommitId(url, "HEAD", "1" * 40),
    ):
        with pytest.raises(UsageError, match="is not the address of a repository"):
            refused()


# Hooks


async def test_hooks_of_the_user_see_nothing_of_our_copies(
    upstream: Repo, served: GitServer, start: Start, tmp_path: Path
) -> None:
    """Not one is run for what is done to them."""
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("reference-transaction", "post-checkout", "post-index-change", "pre-auto-gc"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/{name}\nexit 1\n")
        (hooks / name).chmod(0o755)
    config = tmp_path / "config"
    config.write_text(f"[core]\n\thooksPath = {hooks}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", str(config))
        async with start(lambda: files(git.clone(served.url("team/shop.git")))) as harness:
            await harness.settle()
            assert harness.output == Ok("a.txt=one")
    assert not {path.name for path in hooks.iterdir()} & {path.name for path in tmp_path.iterdir()}
