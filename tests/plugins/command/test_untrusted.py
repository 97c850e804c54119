"""Commands of untrusted work: in a sandbox, in a clean environment, with copies of caches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pycurrent.cache import builder
from pycurrent.engine import Cache, Job, Level
from pycurrent.engine.secret import Secret
from pycurrent.plugins import command, git
from pycurrent.plugins.command import Sandbox
from pycurrent.store.cache_folders import CacheFolders
from pycurrent.term import Current, Failed, Ok, Untrusted, Var, all, constant, untrusted
from pycurrent.testing import Harness

FORK = Untrusted("octo/web", "a" * 40, approval=False)
BARE = Untrusted("octo/web", "a" * 40, approval=False, sandbox=False)

needs_bwrap = pytest.mark.usefixtures("bwrap")


async def result(build: Callable[[], Current[Any]], tmp_path: Path, trust: Untrusted = FORK) -> Any:
    """What untrusted work comes to."""

    def pipeline() -> Current[Any]:
        with untrusted(trust):
            return build()

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        return h.output


@needs_bwrap
async def test_it_runs_in_a_sandbox_that_nobody_has_asked_for(
    commit: git.Commit, tmp_path: Path
) -> None:
    """With its checkout, and nothing else of the machine."""
    (tmp_path / "private").write_text("a key")
    line = f"cat a.txt; echo $HOME; cat {tmp_path / 'private'} || echo none"
    output = await result(lambda: command.output(commit, ["sh", "-c", line]), tmp_path)
    assert output == Ok("one/home/sandbox\nnone\n")


async def test_without_bubblewrap_it_does_not_run(
    commit: git.Commit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says what to install."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "git"):
        found = next(Path(p, name) for p in ("/usr/bin", "/bin") if Path(p, name).exists())
        (tools / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(tools))
    output = await result(lambda: command.run(commit, ["touch", str(tmp_path / "ran")]), tmp_path)
    assert isinstance(output, Failed)
    assert output.message.startswith("the sandbox needs bwrap, which is not on the PATH: install")
    assert not (tmp_path / "ran").exists()


async def test_its_author_may_do_without_a_sandbox(
    commit: git.Commit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment is clean all the same."""
    monkeypatch.setenv("API_TOKEN", "hunter2")
    words = ["sh", "-c", 'echo "$API_TOKEN $HOME $GIVEN"']
    given = {"GIVEN": "given"}
    output = await result(lambda: command.output(commit, words, env=given), tmp_path, BARE)
    assert output == Ok(" /nonexistent given\n")


async def test_it_can_not_write_to_folders_of_the_machine(
    commit: git.Commit, tmp_path: Path
) -> None:
    """Others would read them."""
    sandbox = Sandbox(writable=(tmp_path,))
    output = await result(lambda: command.run(commit, ["true"], sandbox=sandbox), tmp_path)
    assert isinstance(output, Failed)
    assert "untrusted work can't write to the machine: writable= is refused" in output.message


async def test_it_is_told_no_secrets(
    commit: git.Commit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command with secrets fails, before it waits for anybody."""
    monkeypatch.setenv("API_TOKEN", "hunter2")
    secrets = {"API_TOKEN": Secret.from_env("API_TOKEN")}
    output = await result(lambda: command.run(commit, ["env"], secrets=secrets), tmp_path)
    assert isinstance(output, Failed)
    assert output.message.startswith("untrusted work gets no secrets")


@builder("variables", level=Level.HARMLESS)
async def variables(job: Job, key: str) -> str:
    return await job.check_output(["env"], env={"ADDED": "1", "PATH": None})


async def test_commands_of_other_operations_have_a_clean_environment_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of the engine's but the PATH, and what they are given."""
    monkeypatch.setenv("API_TOKEN", "hunter2")
    output = await result(lambda: variables("it"), tmp_path, BARE)
    assert isinstance(output, Ok)
    found = dict(line.split("=", 1) for line in output.value.splitlines())
    assert found.keys() - {"PWD", "SHLVL", "_"} == {"LANG", "HOME", "ADDED"}


@builder("commands", level=Level.HARMLESS)
async def commands(job: Job, key: str) -> str:
    if key == "ours":
        return await job.check_output(["echo", "ran"], trusted=True)
    return await job.check_output(["echo", "ran"])


async def test_other_operations_run_no_command_of_a_stranger(tmp_path: Path) -> None:
    """They have no sandbox: so they run what they say is theirs, and nothing else."""
    assert await result(lambda: commands("ours"), tmp_path) == Ok("ran\n")
    output = await result(lambda: commands("theirs"), tmp_path)
    assert isinstance(output, Failed)
    assert output.message.startswith("untrusted work runs commands in a sandbox only: use command")
    assert await result(lambda: commands("theirs"), tmp_path / "bare", BARE) == Ok("ran\n")


@builder("calls", level=Level.HARMLESS)
async def calls(job: Job, key: str) -> str:
    return await job.call(str.upper, key)


async def test_functions_of_the_pipeline_are_called_as_ever(tmp_path: Path) -> None:
    """They are its author's code, in a process of their own."""
    assert await result(lambda: calls("it"), tmp_path) == Ok("IT")


# Caches


def appends(commit: Any, name: str) -> Current[str]:
    """A command that prints what is kept, and adds a file of this name."""
    line = f'ls "$PIP_CACHE_DIR"; touch "$PIP_CACHE_DIR/{name}"'
    return command.output(commit, ["sh", "-c", line], cache=Cache("pip", "k"))


@needs_bwrap
async def test_it_has_a_copy_of_a_cache(commit: git.Commit, tmp_path: Path) -> None:
    """It reads what others keep, and nobody reads what it writes, it itself neither."""
    stage = Var("stage", 0)

    def pipeline() -> Current[Any]:
        def of(number: int) -> Current[Any]:
            if number == 0:
                return appends(commit, "trusted")
            with untrusted(FORK):
                return appends(constant(commit), f"untrusted-{number}")

        return stage.get().bind(of)

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        seen = []
        for number in range(3):
            stage.set(number)
            await h.settle()
            seen.append(h.output)
        assert seen == [Ok(""), Ok("trusted\n"), Ok("trusted\n")]
        kept = CacheFolders(tmp_path / "state" / "cache").of("pip", "k")
        assert [path.name for path in kept.path.iterdir()] == ["trusted"]
    assert not list((tmp_path / "state").rglob("untrusted-*"))


@needs_bwrap
async def test_it_makes_no_cache(commit: git.Commit, tmp_path: Path) -> None:
    """Where nothing is kept it has an empty folder, and nothing is kept."""
    output = await result(lambda: all([appends(commit, "one")]), tmp_path)
    assert output == Ok(None)
    assert not CacheFolders(tmp_path / "state" / "cache").of("pip", "k").path.exists()
