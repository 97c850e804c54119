"""What a failure says about the machine is not a result of the work."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pycurrent.cache import Builder, ResultCache, Schedule
from pycurrent.cache.pauses import MOST_ATTEMPTS
from pycurrent.engine import CommandNotStarted, Config, Job, Level
from pycurrent.store import JobEnd
from pycurrent.term import (
    Active,
    Activity,
    Current,
    Failed,
    FailureKind,
    Metadata,
    Ok,
    Stats,
    Var,
    component,
    constant,
    metadata,
    pair,
)
from pycurrent.testing import Harness
from pycurrent.testing.clock import START

from .workshop import SECOND, OpenEngine, Put, Workshop, check, put

READY = Active(Activity.READY)
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Frail(Builder[str, str]):
    """Work that does what its last entry says, which is taken off."""

    id = "frail"

    def __init__(self, *ends: BaseException | str) -> None:
        self.ends = list(ends)
        self.jobs: list[Job] = []

    async def build(self, job: Job, key: str) -> str:
        self.jobs.append(job)
        await job.start(level=Level.AVERAGE)
        job.log("at work")
        end = self.ends.pop(0)
        if isinstance(end, BaseException):
            raise end
        return end


def frail(op: Frail, schedule: Schedule | None = None) -> Current[str]:
    return component("frail", lambda: op.get("a", schedule=schedule))


async def test_what_the_machine_fails_is_done_again_after_a_pause(engine: OpenEngine) -> None:
    """Meanwhile the stage is ready; the history says that the runs were interrupted."""
    op = Frail(FULL, MemoryError(), "done")
    async with engine(lambda: frail(op)) as h:
        await h.settle()
        assert (h.output, h.stats) == (READY, Stats(ready=1))
        check(h)
        await h.advance(SECOND)
        assert (h.output, len(op.jobs)) == (READY, 2)
        await h.advance(SECOND)
        assert len(op.jobs) == 2, "the second pause is longer"
        await h.advance(SECOND)
        assert h.output == Ok("done")
        assert [(b.build, b.ok) for b in h.history()] == [(0, None), (0, None), (0, True)]
        check(h)


async def test_pauses_grow_to_five_minutes_and_start_small_again(engine: OpenEngine) -> None:
    """A second, then twice as long each time; after a result as at the beginning."""
    op = Frail(*[FULL] * 12, "done", FULL, "again")
    async with engine(lambda: frail(op)) as h:
        await h.settle()
        for pause in (1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300):
            count = len(op.jobs)
            await h.advance(timedelta(seconds=pause) - timedelta(milliseconds=1))
            assert len(op.jobs) == count
            await h.advance(timedelta(milliseconds=1))
            assert len(op.jobs) == count + 1
        assert h.output == Ok("done")
        h.find("frail a").rebuild()
        await h.settle()
        assert h.output == READY
        await h.advance(SECOND)
        assert h.output == Ok("again")


async def test_it_is_said_why_and_when(
    engine: OpenEngine, caplog: pytest.LogCaptureFixture
) -> None:
    """In the job's log, on the terminal, in the metadata, and to who counts ends."""
    op = Frail(FULL, "done")
    ends: list[JobEnd] = []
    wanted = Var("wanted", False)

    def pipeline() -> Current[Any]:
        stage = frail(op)
        told = pair(stage.state(), metadata(stage))
        return wanted.get().bind(lambda yes: told if yes else constant("unwanted"))

    async with engine(pipeline) as h:
        h.engine.service(ResultCache).runs.on_ended(
            lambda ended: ends.extend(end for _, end in ended)
        )
        wanted.set(True)
        await h.settle()
        why = "OSError: [Errno 28] No space left on device"
        note = f"tried again at 00:00:01 UTC: {why}"
        assert h.output == Ok((READY, Metadata(op.jobs[0].id, note=note)))
        assert f"Job failed: {why} (this is not its work's fault" in h.log("frail a")
        assert f"frail a is {note}" in caplog.text
        assert ends == [JobEnd.INTERRUPTED]
        await h.advance(SECOND)
        assert h.output == Ok((Ok("done"), Metadata(op.jobs[1].id)))


async def test_a_result_is_reported_while_its_refresh_waits(engine: OpenEngine) -> None:
    """It is only older than it should be."""
    op = Frail("first", FULL, "second")
    async with engine(lambda: frail(op, Schedule(5 * SECOND))) as h:
        await h.settle()
        await h.advance(5 * SECOND)
        assert (h.output, h.stats) == (Ok("first"), Stats(ok=1))
        await h.advance(SECOND)
        assert h.output == Ok("second")


async def test_a_result_is_reported_all_the_while(engine: OpenEngine) -> None:
    """Also when the refresh runs again after the pause."""
    seen: list[str] = []
    op = Frail("old", FULL, "new")
    async with engine(lambda: frail(op, Schedule(5 * SECOND)).state().map(seen_by(seen))) as h:
        for _ in range(8):
            await h.advance(SECOND)
        assert [one for one in seen if one != "nothing"] == ["old", "new"]
        assert "nothing" not in seen[seen.index("old") :]


def seen_by(seen: list[str]) -> Callable[[object], None]:
    def see(output: object) -> None:
        seen.append(output.value if isinstance(output, Ok) else "nothing")

    return see


async def test_what_nobody_needs_is_not_tried_again(engine: OpenEngine) -> None:
    """Needed again, it is begun at once."""
    op = Frail(FULL, "done")
    wanted = Var("wanted", True)

    def pipeline() -> Current[str]:
        return wanted.get().bind(lambda yes: frail(op) if yes else constant("unwanted"))

    async with engine(pipeline) as h:
        await h.settle()
        wanted.set(False)
        await h.settle()
        await h.advance(SECOND)
        assert (len(op.jobs), h.jobs) == (1, {})
        wanted.set(True)
        await h.settle()
        assert h.output == Ok("done")


async def test_a_rebuild_does_not_wait_for_the_end_of_the_pause(engine: OpenEngine) -> None:
    """Who asks for it may have made room."""
    op = Frail(FULL, "done")
    async with engine(lambda: frail(op)) as h:
        await h.settle()
        h.find("frail a").rebuild()
        await h.settle()
        assert h.output == Ok("done")
        await h.advance(5 * SECOND)
        assert len(op.jobs) == 2
        check(h)


async def test_a_restart_does_not_wait_for_it_either(engine: OpenEngine) -> None:
    """As with any work that was interrupted."""
    op = Frail(FULL, "done")
    async with engine(lambda: frail(op)) as h:
        await h.settle()
    async with engine(lambda: frail(op)) as h:
        await h.settle()
        assert h.output == Ok("done")


async def test_the_value_that_is_wanted_then_is_set(engine: OpenEngine, shop: Workshop) -> None:
    """Not the one for which there was no room."""
    value = Var("value", "1")
    async with engine(lambda: put(Put(shop), value.get())) as h:
        await h.settle()
        shop.work.ending.set_exception(FULL)
        await h.settle()
        value.set("2")
        await h.settle()
        assert shop.at_work == []
        await h.advance(SECOND)
        assert shop.work.value == "2"
        check(h)


async def test_what_a_person_has_cancelled_stays_so(engine: OpenEngine, shop: Workshop) -> None:
    """Whatever its end raises."""
    value = Var("value", "1")
    shop.stubborn = True
    async with engine(lambda: put(Put(shop), value.get())) as h:
        await h.settle()
        h.find("put k 1").cancel("by hand")
        await h.settle()
        shop.work.ending.set_exception(FULL)
        await h.settle()
        await h.advance(SECOND)
        assert (len(shop.begun), [b.ok for b in h.history()]) == (1, [False])


async def test_an_engine_is_idle_once_the_machine_has_failed_it_too_often(
    engine: OpenEngine,
) -> None:
    """Until then it waits for the end of the pause; a run to the end would never end else."""
    op = Frail(*[FULL] * 20)
    async with engine(lambda: frail(op)) as h:
        await h.settle()
        attempts = 1
        while not h.engine.idle:
            await h.advance(timedelta(seconds=2 ** (attempts - 1)))
            attempts += 1
        assert attempts == len(op.jobs) == MOST_ATTEMPTS
        await h.advance(timedelta(minutes=5))
        assert len(op.jobs) > attempts, "it is tried again all the same"


async def test_a_log_for_which_there_is_no_descriptor_is_made_later(
    engine: OpenEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job is interrupted as soon as it has something to log; it is said why."""
    op = Frail("lost", "lost", "done")
    real = os.open

    def refuse(path: Any, *args: Any, **kwargs: Any) -> int:
        if str(path).endswith(".log"):
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), path)
        return real(path, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        async with engine(lambda: pair(frail(op).state(), metadata(frail(op)))) as h:
            await h.settle()
            note = "tried again at 00:00:01 UTC: the log can't be written: Too many open files"
            assert h.output == Ok((READY, Metadata(op.jobs[0].id, note=note)))
            assert [b.ok for b in h.history()] == [None]
            assert h.log("frail").endswith(": New job: frail a\n"), "its first lines are kept"
            check(h)
            await h.advance(SECOND)
            note = note.replace("00:00:01", "00:00:03")
            assert h.output == Ok((READY, Metadata(op.jobs[1].id, note=note))), (
                "the second pause is longer"
            )
            patch.undo()
            await h.advance(2 * SECOND)
            assert h.output == Ok((Ok("done"), Metadata(op.jobs[2].id)))


async def test_a_log_that_cant_be_made_fails_the_stage(engine: OpenEngine) -> None:
    """No result is recorded; it is tried again when the failure expires, as it may be mended."""
    op = Frail("lost", "second")
    wanted = Var("wanted", False)

    def pipeline() -> Current[str]:
        stage = frail(op, Schedule(5 * SECOND))
        return wanted.get().bind(lambda yes: stage if yes else constant("unwanted"))

    async with engine(pipeline) as h:
        await h.settle()
        logs = h.engine.opened.state.jobs
        logs.rename(logs.with_name("moved"))
        logs.touch()
        wanted.set(True)
        await h.settle()
        why = "the log can't be written: Not a directory"
        assert h.output == Failed(why, kind=FailureKind.INFRA)
        assert [build.ok for build in h.history()] == [None]
        check(h)
        logs.unlink()
        logs.with_name("moved").rename(logs)
        await h.advance(5 * SECOND)
        assert h.output == Ok("second")


# What can't be started


async def test_what_cant_be_started_is_not_recorded(engine: OpenEngine, tmp_path: Path) -> None:
    """It fails in this run; it is tried again by a rebuild, and after a restart."""
    missing = CommandNotStarted("can't start 'pip': there is no such command on the PATH")
    op = Frail(missing, missing, "done")
    async with engine(lambda: frail(op)) as h:
        await h.settle()
        assert (h.output, h.stats) == (Failed(str(missing)), Stats(failed=1))
        assert "(not recorded as a result: it is run again after a restart" in h.log("frail a")
        await h.advance(timedelta(hours=1))
        assert len(op.jobs) == 1
        h.find("frail a").rebuild()
        await h.settle()
        assert (h.output, len(op.jobs)) == (Failed(str(missing)), 2)
        check(h)
    later = START + timedelta(hours=2)
    async with Harness(lambda: frail(op), state_dir=tmp_path, start=later) as h:
        await h.settle()
        assert h.output == Ok("done")
        assert [(b.build, b.ok) for b in h.history()] == [(0, None), (0, None), (0, True)]


class Command(Builder[tuple[str, ...], None]):
    id = "command"

    def __init__(self, cwd: Path | None = None) -> None:
        self.cwd = cwd

    async def build(self, job: Job, key: tuple[str, ...]) -> None:
        await job.start(level=Level.AVERAGE)
        await job.exec(key, cwd=self.cwd)


@pytest.mark.parametrize("what", ["folder", "program", "permission", "interpreter"])
async def test_each_command_that_the_machine_cant_start_is_tried_again(
    tmp_path: Path, what: str
) -> None:
    """Once its folder, its program, the right to run it, or the interpreter is there."""
    folder = tmp_path / "folder"
    program = folder / "program"
    folder.mkdir()
    program.write_text(f"#!{folder}/sh\n" if what == "interpreter" else "#!/bin/sh\n")
    program.chmod(0o644 if what == "permission" else 0o755)
    cwd, argv = folder, (str(program),)
    if what == "program":
        program.unlink()
    if what == "folder":
        cwd, argv = tmp_path / "missing", ("true",)

    def pipeline() -> Current[None]:
        return component("command", lambda: Command(cwd).get(argv))

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert isinstance(h.output, Failed)
        assert h.output.message.startswith("can't start")
    (folder / "sh").symlink_to("/bin/sh")
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    cwd.mkdir(exist_ok=True)
    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert h.output == Ok(None)


async def test_what_no_machine_can_start_is_a_result(tmp_path: Path) -> None:
    """It is the work's own fault, and known for good."""

    def pipeline() -> Current[None]:
        return component("command", lambda: Command().get(("echo", "a\0b")))

    async with Harness(pipeline, state_dir=tmp_path, start=START, config=Config()) as h:
        await h.settle()
        assert isinstance(h.output, Failed)
        assert [b.ok for b in h.history()] == [False]
