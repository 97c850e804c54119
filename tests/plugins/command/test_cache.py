"""Folders that commands keep between their runs."""

import sys
from pathlib import Path

import pytest

from pycurrent.engine import Cache
from pycurrent.errors import UsageError
from pycurrent.plugins import command, git
from pycurrent.plugins.command import Sandbox
from pycurrent.store.cache_folders import CacheFolders
from pycurrent.term import Current, Failed, Ok, Var, all
from pycurrent.testing import Harness

ADD = ["sh", "-c", 'echo "$0" >> "$PIP_CACHE_DIR/lines"; cat "$PIP_CACHE_DIR/lines"']


async def test_a_command_finds_what_others_have_kept(commit: git.Commit, tmp_path: Path) -> None:
    """By the variable that its tool reads."""
    word = Var("word", "one")

    def pipeline() -> Current[str]:
        words = word.get().map(lambda word: [*ADD, word])
        return command.output(commit, words, cache=Cache("pip", "k"))

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert h.output == Ok("one\n")
        word.set("two")
        await h.settle()
        assert h.output == Ok("one\ntwo\n")


async def test_another_key_is_another_folder_and_no_reason_to_run_again(
    commit: git.Commit, tmp_path: Path
) -> None:
    """A cache is only context: the result does not depend on it."""
    word, key = Var("word", "one"), Var("key", "first lock file")

    def pipeline() -> Current[str]:
        words = word.get().map(lambda word: [*ADD, word])
        return command.output(commit, words, cache=[Cache("pip", key.get())])

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        key.set("second lock file")
        await h.settle()
        assert len(h.history("command-output")) == 1
        word.set("two")
        await h.settle()
        assert h.output == Ok("two\n")
        assert len(list(CacheFolders(tmp_path / "state" / "cache").all())) == 2


async def test_several_caches_are_taken_in_one_order(commit: git.Commit, tmp_path: Path) -> None:
    """However they are given: no two commands wait for each other."""
    one, two = Cache("a", env="A"), Cache("b", env="B")

    def pipeline() -> Current[object]:
        return all(
            [
                command.run(commit, ["sh", "-c", f"test -d $A && test -d $B # {n}"], cache=caches)
                for n in range(4)
                for caches in ([[one, two], [two, one]][n % 2],)
            ]
        )

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert isinstance(h.output, Ok)


async def test_what_a_failed_command_leaves_is_kept(commit: git.Commit, tmp_path: Path) -> None:
    """What it has downloaded is of use to the next one."""

    def pipeline() -> Current[None]:
        words = ["sh", "-c", 'touch "$CCACHE_DIR/kept"; exit 1']
        return command.run(commit, words, cache=Cache("ccache"))

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert isinstance(h.output, Failed)
    (folder,) = CacheFolders(tmp_path / "state" / "cache").all()
    assert (folder.path / "kept").exists()
    assert not folder.is_in_use


@pytest.mark.usefixtures("bwrap")
async def test_a_sandbox_may_write_to_it(commit: git.Commit, tmp_path: Path) -> None:
    """And to no other folder beside it."""

    def pipeline() -> Current[str]:
        words = ["sh", "-c", 'touch "$PIP_CACHE_DIR/kept"; ls "$PIP_CACHE_DIR/.."']
        return command.output(commit, words, sandbox=Sandbox(), cache=Cache("pip", shared=True))

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        (folder,) = CacheFolders(tmp_path / "state" / "cache").all()
        assert h.output == Ok(f"{folder.path.name}\n")
        assert (folder.path / "kept").exists()


async def test_pip_keeps_its_downloads_there(commit: git.Commit, tmp_path: Path) -> None:
    """A real tool finds the folder."""

    def pipeline() -> Current[str]:
        return command.output(
            commit, [sys.executable, "-m", "pip", "cache", "dir"], cache=Cache("pip", shared=True)
        )

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        (folder,) = CacheFolders(tmp_path / "state" / "cache").all()
        assert h.output == Ok(f"{folder.path}\n")


async def test_a_variable_has_one_value(commit: git.Commit, tmp_path: Path) -> None:
    """It is not set in silence over one that the author has set."""

    def pipeline() -> Current[None]:
        env = {"PIP_CACHE_DIR": "/elsewhere"}
        return command.run(commit, ["true"], env=env, cache=Cache("pip"))

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert isinstance(h.output, Failed)
        assert "cache 'pip' sets PIP_CACHE_DIR" in h.output.message


async def test_one_folder_is_not_given_twice(commit: git.Commit, tmp_path: Path) -> None:
    """The command would wait for itself."""

    def pipeline() -> Current[None]:
        caches = [Cache("x", env="A"), Cache("x", env="B")]
        return command.run(commit, ["true"], cache=caches)

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert isinstance(h.output, Failed)
        assert "cache 'x' is given twice" in h.output.message


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("pip", 'not .*pip.*: Cache\\("pip"\\)'),
        (["pip"], "cache= takes a Cache, not"),
        (Cache("mine"), "name the variable"),
    ],
)
def test_what_is_no_cache_is_refused(commit: git.Commit, given: object, message: str) -> None:
    """Where the pipeline is built, with what to write."""
    with pytest.raises(UsageError, match=message):
        command.run(commit, ["true"], cache=given)  # type: ignore[call-overload]
