"""Being started, and running, in a folder that is removed: a release, a CI checkout."""

from pathlib import Path

import pytest

from .commands import Start, Write

PLACES = """
    import shutil
    from pathlib import Path
    from pycurrent import Current, Job, Level, builder, pair

    @builder("remove", level=Level.HARMLESS)
    async def remove(job: Job, folder: str) -> None:
        shutil.rmtree(folder)

    @builder("absolute", level=Level.HARMLESS)
    async def absolute(job: Job, after: None) -> str:
        await job.exec(["pwd"], cwd="/")
        async with job.tempdir() as folder:
            await job.exec(["pwd"], cwd=folder)
            return await job.check_output(["cat"], stdin="still here", cwd=folder)

    @builder("relative", level=Level.HARMLESS)
    async def relative(job: Job, after: None, cwd: str) -> None:
        await job.exec(["true"], cwd=cwd or None)

    def pipeline(folder: str) -> Current[object]:
        removed = remove(folder)
        both = pair(relative(removed, "").state(), relative(removed, "sub").state())
        return pair(absolute(removed), both)
"""


@pytest.fixture
def sub(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, apart from where the rest is."""
    path = folder / "release"
    path.mkdir()
    monkeypatch.chdir(path)
    return path


def test_commands_run_after_the_folder_of_the_engine_is_gone(
    pipeline_file: Write, child: Start, folder: Path, sub: Path
) -> None:
    """With an absolute folder of their own; others say what to do."""
    file = pipeline_file(PLACES, folder / "ci.py")
    state = str(folder / "state")
    run = child("-m", "pycurrent", "run", str(file), str(sub), "--once", "--state-dir", state)
    ended = run.end()
    assert (ended.status, ended.err) == (0, "")
    assert "ok       absolute" in ended.out
    failed = [line for line in ended.lines if line.startswith("failed")]
    assert len(failed) == 2
    assert all("can't start 'true': the current directory, where the engine" in x for x in failed)


def test_what_is_given_by_absolute_paths_runs_in_a_folder_that_is_gone(
    pipeline_file: Write, child: Start, folder: Path, sub: Path
) -> None:
    """It needs no current directory."""
    file = pipeline_file(PLACES, folder / "ci.py")
    (folder / "other").mkdir()
    sub.rmdir()
    arguments = [str(file), str(folder / "other"), "--once", "--state-dir", str(folder / "state")]
    ended = child("-m", "pycurrent", "run", *arguments).end()
    assert (ended.status, ended.err) == (0, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "{file}", "x"],
        ["history"],
        ["graph", "{file}", "x"],
        ["log", "2026-11-22/084703-frob-1a2b3c"],
        ["token", "list"],
        ["gc", "--older-than", "1d"],
    ],
)
def test_a_command_in_a_folder_that_is_gone_says_so(
    pipeline_file: Write, child: Start, folder: Path, sub: Path, arguments: list[str]
) -> None:
    """In a line."""
    file = pipeline_file(PLACES, folder / "ci.py")
    sub.rmdir()
    ended = child("-m", "pycurrent", *(word.format(file=file) for word in arguments)).end()
    if arguments[0] == "graph":
        assert ended.status == 0
        return
    assert ended.status in {1, 2}
    assert "the current directory does not exist any more" in ended.err
    assert len(ended.err.splitlines()) == 1
