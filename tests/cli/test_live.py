"""The live view on a terminal."""

import fcntl
import os
import pty
import re
import signal
import struct
import sys
import termios
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from select import select
from time import monotonic

import pytest
from msgspec.structs import replace

from pycurrent.cli.live import picture
from pycurrent.cli.pace import Pace
from pycurrent.engine import Effect, JobState, Problem
from pycurrent.term import Activity, Failed, Ok, Output, State, Stats
from pycurrent.view import InQueue, JobView, Overview, StageView

from .commands import NAPS, Write

OK: Output[None] = Ok(None)
START = datetime(2026, 1, 1, tzinfo=UTC)


class Terminal:
    """A process on a terminal of its own."""

    def __init__(
        self, arguments: list[str], environment: dict[str, str], rows: int, columns: int = 80
    ) -> None:
        self.pid, self._terminal = pty.fork()
        if not self.pid:
            os.execvpe(sys.executable, [sys.executable, *arguments], environment)
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, size)
        self.shown = ""

    def await_text(self, pattern: str) -> str:
        """Read until there is this, from the last such on; to the end if it is not there."""
        deadline = monotonic() + 20
        while not re.search(pattern, self.shown, re.DOTALL) and monotonic() < deadline:
            if select([self._terminal], [], [], 0.5)[0]:
                try:
                    self.shown += os.read(self._terminal, 65536).decode()
                except OSError:  # Linux: nobody holds the other end any more
                    break
        assert re.search(pattern, self.shown, re.DOTALL), self.shown
        return self.shown

    def press(self, key: bytes) -> None:
        os.write(self._terminal, key)

    def close(self) -> int:
        """Its exit status, at its end."""
        with suppress(OSError):
            while os.read(self._terminal, 65536):
                pass
        os.close(self._terminal)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.fixture
def naps(pipeline_file: Write, folder: Path) -> Terminal:
    """A run of `NAPS` on a terminal."""
    os.mkfifo(folder / "fifo")
    pipeline_file(NAPS.replace("fifo", str(folder / "fifo")))
    environment = {**os.environ, "TERM": "xterm-256color"}
    environment.pop("NO_COLOR")
    terminal = Terminal(["-m", "pycurrent", "run", "ci.py", "--once"], environment, rows=10)
    terminal.await_text(r"running[^\n]*nap False")
    return terminal


def test_what_runs_is_shown_and_then_taken_away(naps: Terminal, folder: Path) -> None:
    """In colours; in the end there is only the summary, and the cursor is back."""
    assert "\x1b[33mrunning" in naps.shown
    (folder / "fifo").write_text("wake up\n")
    shown = naps.await_text(r"ok: 1 ok \(")
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
    assert naps.close() == 0


def test_time_goes_on_though_nothing_happens(naps: Terminal, folder: Path) -> None:
    """It is painted anew each second, in place."""
    shown = naps.await_text(r"nap False +1\.\d s")
    assert shown.count("nap False") <= 3
    (folder / "fifo").write_text("wake up\n")
    naps.await_text("ok: 1 ok")
    assert naps.close() == 0


def test_the_address_is_shown_whole(pipeline_file: Write, folder: Path) -> None:
    """On a terminal that is narrower, too: cut off it would let nobody in."""
    os.mkfifo(folder / "fifo")
    pipeline_file(NAPS.replace("fifo", str(folder / "fifo")))
    environment = {**os.environ, "TERM": "xterm-256color"}
    arguments = ["-m", "pycurrent", "run", "ci.py", "--port", "0"]
    terminal = Terminal(arguments, environment, rows=10, columns=40)
    terminal.await_text(r"serving http.*running[^\n]*nap False.*nap False")
    shown = re.sub(r"\x1b\[[^A-Za-z]*[A-Za-z]|\s", "", terminal.shown)
    assert (folder / ".pycurrent" / "token").read_text().strip() in shown
    terminal.press(b"\x03")
    assert terminal.close() == 128 + signal.SIGINT


def test_ctrl_c_stops_it(naps: Terminal) -> None:
    """It says so, leaves the last state, and the terminal as it was."""
    naps.press(b"\x03")
    shown = naps.await_text(r"stopped: 1 running \(")
    assert "stopping: 1 job to cancel" in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
    assert naps.close() == 130


@pytest.mark.parametrize("variable", [{"TERM": "dumb"}, {"NO_COLOR": "1"}])
def test_terminals_that_can_not_or_shall_not(
    variable: dict[str, str], pipeline_file: Write
) -> None:
    """A dumb terminal gets lines; with NO_COLOR there are no colours."""
    pipeline_file("import pycurrent as current\ndef pipeline(): return current.fail('no')")
    environment = {**os.environ, "TERM": "xterm", **variable}
    terminal = Terminal(["-m", "pycurrent", "run", "ci.py", "--once"], environment, rows=10)
    shown = terminal.await_text(r"\n  no\r\n")
    assert not re.search(r"\x1b\[(\d;)*3\dm", shown)
    assert ("\x1b" in shown) is (variable.get("TERM") is None)
    assert terminal.close() == 1


def stage(
    label: str, state: State, *, failure: str | None = None, job: JobView | None = None
) -> StageView:
    return StageView(
        path=label,
        label=label,
        state=state,
        update=None,
        since=datetime.now(UTC) - timedelta(seconds=70),
        job_id=None if job is None else job.id,
        description=None if job is None else job.description,
        job=job,
        failure=None if failure is None else Failed(failure),
    )


def overview(*stages: StageView, of_interest: Stats, result: Output[None] = OK) -> Overview:
    return Overview(
        result=result,
        counts=Stats(ok=4000, failed=300),
        stages=stages,
        of_interest=of_interest,
        jobs=0,
        confirm=None,
    )


def lines(seen: Overview, width: int = 80) -> list[str]:
    shown = picture(seen, name="ci.py", took=timedelta(seconds=3), width=width, log="pycurrent log")
    return [line.plain.rstrip() for line in shown]


def test_what_is_wrong_with_the_engine_comes_first() -> None:
    """In one line each."""
    problem = Problem("short", "nothing new is begun:\nthe disk is full", Effect.HELD)
    seen = replace(overview(of_interest=Stats()), problems=(problem,))
    assert lines(seen)[2] == "problem  nothing new is begun: the disk is full"


def test_stages_are_lined_up_and_the_rest_counted() -> None:
    """What failed and why, what runs and since when, what waits and for what."""
    job = JobView(
        id="2026-01-01/000000-x-abcdef",
        op="x",
        description="x y",
        state=JobState.QUEUED,
        created=START,
        started=None,
        wait=InQueue("cpu", 2),
    )
    seen = overview(
        stage("frob", State.FAILED, failure="no\ngood"),
        stage("a much longer name", State.RUNNING),
        stage("x", State.READY, job=job),
        of_interest=Stats(failed=300, running=1, ready=1),
    )
    assert lines(seen) == [
        "ci.py  3.0 s",
        "300 failed, 4000 ok",
        "failed   frob                no good",
        "running  a much longer name  1 min 10 s",
        "queued   x y                 for a resource of pool cpu (place 2 in the queue), 1 min 10 s"
        "  abcdef",
        "not shown: 299 failed",
        "logs: pycurrent log ID",
    ]


def test_of_many_stages_it_says_how_far_the_run_is() -> None:
    """And how long the rest may take, once some were done at this pace; what was known before
    does not count.
    """
    pace = Pace()
    assert pace.text(Stats(ok=100, ready=100), 1.0) == "50 % done"
    assert pace.text(Stats(ok=104, ready=96), 2.0) == "52 % done"
    assert pace.text(Stats(ok=150, ready=50), 11.0) == "75 % done, about 10 s more"
    assert pace.text(Stats(ok=140, failed=10, running=20, blocked=30), 11.0) == (
        "75 % done, about 4.0 s more"
    )
    assert pace.text(Stats(ok=200), 20.0) == ""
    assert pace.text(Stats(ok=10, running=10), 20.0) == ""
    head = picture(
        overview(of_interest=Stats()),
        name="ci.py",
        took=timedelta(seconds=3),
        width=80,
        log="pycurrent log",
        progress="50 % done",
    )[0]
    assert head.plain == "ci.py  3.0 s  50 % done"


def test_a_failure_that_is_no_stages_is_shown() -> None:
    """The result of the pipeline counts, wherever it failed."""
    seen = overview(of_interest=Stats(), result=Failed("two items have the key 1"))
    assert lines(seen)[-1] == "failed   two items have the key 1"


def test_long_names_leave_room() -> None:
    """A name takes no more than half of the width."""
    seen = overview(stage("x" * 100, State.RUNNING), of_interest=Stats(running=1))
    assert lines(seen, width=40)[2] == f"running  {'x' * 19}…  1 min 10 s"


def test_an_update_behind_a_result_is_what_it_does() -> None:
    """A result that is still good is shown while it is made again."""
    updated = StageView(
        *("x", "x", State.OK, Activity.RUNNING, datetime.now(UTC)), None, None, None, None
    )
    assert lines(overview(updated, of_interest=Stats(running=1)))[2].startswith("running  x")


def test_failures_come_first_where_there_are_more_stages_than_lines() -> None:
    """With their whole reasons; what is alike has one line."""
    waiting = [
        JobView(
            id=f"2026-01-01/000000-x-{n:06}",
            op="x",
            description=f"x {n}",
            state=JobState.QUEUED,
            created=START,
            started=None,
            wait=InQueue("cpu", n),
        )
        for n in range(300)
    ]
    why = "the database of the shop could not be reached: " + "connection refused " * 3
    seen = overview(
        *[stage(f"test {n}", State.READY, job=job) for n, job in enumerate(waiting)],
        stage("a stage with a long name, too", State.FAILED, failure=why),
        stage("y", State.RUNNING),
        of_interest=Stats(failed=1, running=1, ready=300),
    )

    shown = picture(
        seen, name="ci.py", took=timedelta(seconds=3), width=120, log="pycurrent log", room=8
    )

    assert [line.plain.rstrip() for line in shown[2:6]] == [
        "failed   a stage with a long name, too",
        f"         {why}".rstrip(),
        "queued   300 stages for a resource of pool cpu for up to 1 min 10 s:"
        " test 0, test 1, test 2, …",
        "running  y                              1 min 10 s",
    ]


def test_failures_with_one_cause_have_one_line_where_there_are_too_many() -> None:
    """So another cause is in sight."""
    alike = [
        stage(f"test {n}", State.FAILED, failure=f"no connection to 10.0.0.{n}:5432")
        for n in range(40)
    ]
    other = stage("lint", State.FAILED, failure="2 of 40 files are not formatted")
    seen = overview(*alike, other, of_interest=Stats(failed=41))

    shown = picture(
        seen, name="ci.py", took=timedelta(seconds=3), width=120, log="pycurrent log", room=8
    )

    assert [line.plain.rstrip() for line in shown[2:4]] == [
        "failed   40 stages alike: no connection to 10.0.0.0:5432: test 0, test 1, test 2, …",
        "failed   lint  2 of 40 files are not formatted",
    ]
    assert not any(line.plain.startswith("not shown") for line in shown)
