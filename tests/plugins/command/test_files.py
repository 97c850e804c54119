"""Files between commands: what one makes another is given."""

from pathlib import Path

import pytest

from pycurrent.cache import builder
from pycurrent.engine import Job, Level
from pycurrent.errors import UsageError
from pycurrent.files import File, Tree
from pycurrent.plugins import command, git
from pycurrent.plugins.command import Sandbox
from pycurrent.plugins.command.invocation import Invocation
from pycurrent.plugins.command.program import Program
from pycurrent.plugins.command.report import Report
from pycurrent.plugins.saved_files import GivenFiles
from pycurrent.term import Current, Failed, Ok, Var
from pycurrent.testing import Harness

BUILD = ["sh", "-c", 'mkdir -p dist && echo "$0" > dist/a.txt && echo log > build.log']
TREE = Tree("a" * 64, 1, 2)
FILE = File("b" * 64, 3, 0o755)


async def test_a_command_is_given_what_another_has_made(commit: git.Commit, tmp_path: Path) -> None:
    """In the folder that is named, beside the files of the commit; nothing else comes along."""

    def pipeline() -> Current[str]:
        dist = command.run(commit, [*BUILD, "one"], outputs="dist/**")
        listed = command.run(
            commit,
            ["sh", "-c", "find in -type f -exec cat {} + > got"],
            inputs={"in": dist},
            outputs=["got"],
        )
        return command.output(listed, ["cat", "got"])

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert h.output == Ok("one\n")


@pytest.mark.parametrize("sandbox", [None, Sandbox()])
async def test_an_equal_output_runs_nothing_again(
    commit: git.Commit, tmp_path: Path, sandbox: Sandbox | None
) -> None:
    """A command that makes the same again is the end of a change."""
    unused = Var("unused", "1")

    def pipeline() -> Current[None]:
        env = unused.get().map(lambda text: {"UNUSED": text})
        dist = command.run(commit, [*BUILD, "same"], env=env, outputs="dist/**", sandbox=sandbox)
        return command.run(dist, ["test", "-f", "dist/a.txt"], sandbox=sandbox)

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert h.output == Ok(None)
        unused.set("2")
        await h.settle()
        assert len(h.history("command-files")) == 2
        assert len(h.history("command-run")) == 1


async def test_a_command_that_fails_has_no_outputs(commit: git.Commit, tmp_path: Path) -> None:
    """Half of what it was to make is of no use to others."""
    argv = ["sh", "-c", "mkdir dist; touch dist/half; exit 3"]
    async with Harness(
        lambda: command.run(commit, argv, outputs="dist/**"), state_dir=tmp_path / "state"
    ) as h:
        await h.settle()
        assert isinstance(h.output, Failed)
        assert not (tmp_path / "state" / "files").exists()


@pytest.mark.parametrize("required", [False, True])
async def test_outputs_that_are_missing_fail_where_they_are_required(
    commit: git.Commit, tmp_path: Path, required: bool
) -> None:
    """Else the log says so."""
    async with Harness(
        lambda: command.run(commit, ["true"], outputs="dist/**", outputs_required=required),
        state_dir=tmp_path / "state",
    ) as h:
        await h.settle()
        assert isinstance(h.output, Failed) is required
        assert "matches dist/**" in h.log("true")


async def test_a_single_file_is_given_by_its_path(commit: git.Commit, tmp_path: Path) -> None:
    """With its permissions, so it can be run."""

    @builder("tool", level=Level.HARMLESS)
    async def tool(job: Job, key: str) -> File:
        async with job.tempdir() as folder:
            (folder / "x").write_text("#!/bin/sh\necho ran\n")
            (folder / "x").chmod(0o755)
            return await job.save_file(folder / "x")

    async with Harness(
        lambda: command.run(commit, ["./bin/tool"], inputs={"bin/tool": tool("k")}),
        state_dir=tmp_path / "state",
    ) as h:
        await h.settle()
        assert h.output == Ok(None)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"../x": TREE}, "is not a path within a folder"),
        ({"/x": TREE}, "is not a path within a folder"),
        ({"x": "dist"}, "takes a Tree or a File for 'x'"),
        ({1: TREE}, "takes paths within the folder"),
        ("dist", "takes a dict of trees by their folders"),
        ({"x": TREE, "x/": TREE}, "inputs= has 'x' twice"),
        ({"x": FILE, "x/y": TREE}, "inputs= has a file for 'x', and 'x/y' in it"),
    ],
)
def test_what_are_no_inputs_is_refused(commit: git.Commit, inputs: object, message: str) -> None:
    """Where the pipeline is built, with what to write."""
    with pytest.raises(UsageError, match=message):
        command.run(commit, ["true"], inputs=inputs)  # type: ignore[call-overload]


@pytest.mark.parametrize("outputs", ["../x", "/etc/**", [], ["a", ""]])
def test_what_are_no_outputs_is_refused(commit: git.Commit, outputs: object) -> None:
    """The same."""
    with pytest.raises(UsageError):
        command.run(commit, ["true"], outputs=outputs)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "key",
    [
        Invocation("abc", Program(("a",))),
        Invocation({"p": "1"}, Program(("a",)), {"in": TREE, "tool": FILE}, ("dist/**",)),
        Invocation(TREE, Program(("a",)), {}, ("x", "y"), outputs_required=True),
        Invocation("abc", Program(("a",)), report=Report(("x.xml",), required=True)),
    ],
)
def test_keys_are_read_back(key: Invocation) -> None:
    """And those from before there were files are as they were."""
    form = key.to_json()
    assert Invocation.from_json(form) == key
    assert isinstance(form, dict)
    if key == Invocation("abc", Program(("a",))):
        assert form == {"commit": "abc", "argv": ["a"], "env": {}}


def test_inputs_are_in_the_order_of_their_paths() -> None:
    """So the order in which an author names them is no part of the key."""
    given = GivenFiles.of({"b": TREE, "a/": FILE})
    assert list(given.with_values(()).items()) == [("a", FILE), ("b", TREE)]


async def test_outputs_that_are_gone_are_made_again_at_the_start(
    commit: git.Commit, tmp_path: Path
) -> None:
    """As other results outside of the records are; one that is there is not."""
    state = tmp_path / "state"
    for runs in (1, 1, 2):
        if runs == 2:
            for path in (state / "files" / "objects").rglob("*/*"):
                path.unlink()
        async with Harness(
            lambda: command.run(commit, [*BUILD, "x"], outputs="dist/**"), state_dir=state
        ) as h:
            await h.settle()
            assert isinstance(h.output, Ok)
            assert len(h.history("command-files")) == runs
