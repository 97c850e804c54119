"""`pycurrent shell`: opens a terminal where a job runs, or ran."""

from __future__ import annotations

import json
import os
import select
import signal
import struct
import subprocess
import sys
import termios
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pycurrent.cli.option import DEFAULT_STATE_DIR
from pycurrent.cli.options import StateDirOption
from pycurrent.cli.output import one_line
from pycurrent.engine.clock import instant
from pycurrent.engine.kept_folders import Terminal, folders_in, kept_folder, kept_until
from pycurrent.engine.leftovers import LOCK
from pycurrent.errors import PycurrentError, UsageError
from pycurrent.service import Records
from pycurrent.store import StateDir
from pycurrent.store.lock import Holder

_HEAD = struct.Struct("!cI")
_SIZE = struct.Struct("!HH")
_CHUNK = 64 << 10


def shell(
    job: Annotated[
        str,
        Parameter(
            help="The job's id, the beginning or the end of it, or `last` for the newest job."
        ),
    ],
    /,
    *command: Annotated[
        str,
        Parameter(allow_leading_hyphen=True, help="A command to run there, in place of a shell."),
    ],
    state_dir: StateDirOption = DEFAULT_STATE_DIR,
) -> int:
    """Open a terminal where a job runs: in the folder of its command, also at another machine. Or
    where it ran, if it has failed and its folders are kept: see `run --keep-failed`. Ends with the
    status of the shell, or of the command.
    """
    with Records.open(state_dir) as records:
        job_id = records.find_job(job)
        runs = records.is_running(job_id)
    state = StateDir.read(state_dir)
    run, kept = state.runs / job_id, kept_folder(state.kept, job_id)
    terminal = (Terminal.read(run) if runs else None) or Terminal.read(kept)
    if terminal is not None:
        _say(f"Job {job_id} at {terminal.place}{_until(kept)}")
        return _Session(terminal, command).run()
    for folder in ([_folder_of_command(state, job_id)] if runs else []) + folders_in(kept)[:1]:
        if folder is not None:
            _say(f"Job {job_id} in {folder}{_until(kept)}")
            _become(folder, command)
    raise UsageError(_nothing(job_id, runs=runs))


def _nothing(job_id: str, *, runs: bool) -> str:
    if runs:
        return f"job {job_id} runs no command now: try again once it does"
    return (
        f"no folder of job {job_id} is left: those of jobs that fail are kept by `run --keep-failed"
        " 2h`, and by job.tempdir(keep=timedelta(hours=2))"
    )


def _until(kept: Path) -> str:
    until = kept_until(kept)
    return "" if until is None else f", kept until {instant(until)}"


def _say(line: str) -> None:
    sys.stderr.write(f"{one_line(line)}\n")
    sys.stderr.flush()


def _become(folder: Path, command: Sequence[str]) -> None:
    """Become the shell, or the command, in a folder of this machine. Raises `UsageError`."""
    argv = list(command) or [os.environ.get("SHELL") or "/bin/sh"]
    # It may be ignored, where this was started in the background.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        os.chdir(folder)
        os.execvp(argv[0], argv)  # noqa: S606 - it is what the person asks for
    except OSError as error:
        raise UsageError(f"{argv[0]} can't be run in {folder}: {error.strerror}") from error


def _folder_of_command(state: StateDir, job_id: str) -> Path | None:
    """The folder in which a command of a running job is: its parent holds the job's lock, too."""
    engine = Holder.told_by(state.path)
    if engine is None or sys.platform != "linux":
        return None
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    lock = os.fspath(state.runs / job_id / LOCK)
    holders = {pid for pid in pids if pid != engine.pid and _has_open(pid, lock)}
    for pid in pids:
        with suppress(OSError):
            stat = Path(f"/proc/{pid}/stat").read_text()
            if int(stat.rpartition(")")[2].split()[1]) in holders:
                return Path(f"/proc/{pid}/cwd").readlink()
    return None


def _has_open(pid: int, path: str) -> bool:
    with suppress(OSError):
        files = Path(f"/proc/{pid}/fd")
        return any(os.fspath(file.readlink()) == path for file in files.iterdir())
    return False


class _Session:
    """A shell, or a command, at another place: what is typed goes there, and its output here."""

    def __init__(self, terminal: Terminal, command: Sequence[str]) -> None:
        self._has_terminal = os.isatty(0) and os.isatty(1)
        request: dict[str, object] = {"job": terminal.job, "argv": list(command) or None}
        if self._has_terminal:
            request |= {"size": _size(), "term": os.environ.get("TERM", "dumb")}
        self._request = json.dumps(request).encode() + b"\n"
        self._argv = terminal.argv

    def run(self) -> int:
        """Until it has ended; gives its status. Raises `PycurrentError`."""
        woken, writer = os.pipe()
        for end in (woken, writer):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGWINCH):
            signal.signal(number, lambda *_: None)  # any handler: the wakeup needs one
        try:
            # In a session of its own: the keys of this terminal are for the one there.
            process = subprocess.Popen(self._argv, stdin=subprocess.PIPE, start_new_session=True)
        except OSError as error:
            raise PycurrentError(f"{self._argv[0]} can't be run: {error.strerror}") from error
        assert process.stdin is not None
        with self._raw(), suppress(BrokenPipeError):
            _write(process.stdin.fileno(), self._request)
            self._feed(process, process.stdin.fileno(), woken)
        with suppress(BrokenPipeError):
            process.stdin.close()
        return process.wait()

    def _feed(self, process: subprocess.Popen[bytes], there: int, woken: int) -> None:
        """Send what is typed, and each new size, until there is no more, or the other end goes."""
        while process.poll() is None:
            ready, _, _ = select.select([0, woken], [], [])
            if woken in ready:
                with suppress(BlockingIOError):
                    os.read(woken, _CHUNK)
                if self._has_terminal:
                    _write(there, _message(b"W", _SIZE.pack(*_size())))
            if 0 in ready:
                data = os.read(0, _CHUNK)
                if not data:
                    return
                _write(there, _message(b"D", data) if self._has_terminal else data)

    @contextmanager
    def _raw(self) -> Iterator[None]:
        """Have each key sent as it is typed, in a block."""
        if not self._has_terminal:
            yield
            return
        before = termios.tcgetattr(0)
        tty.setraw(0, termios.TCSADRAIN)  # what was typed before counts
        try:
            yield
        finally:
            termios.tcsetattr(0, termios.TCSADRAIN, before)


def _message(kind: bytes, payload: bytes) -> bytes:
    return _HEAD.pack(kind, len(payload)) + payload


def _size() -> tuple[int, int]:
    """The rows and columns of the terminal."""
    size = os.get_terminal_size(0)
    return size.lines, size.columns


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
