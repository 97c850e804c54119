"""Noticing that the event loop stands still, and saying where.

Steps, jobs, timers and pages share one event loop. A function that does not come back to it for
seconds (`time.sleep`, `subprocess.run`, a long computation) holds up all of them, and nothing else
would tell. A thread looks at the loop twice a second; only where it finds the loop at work does it
ask it for a sign of life, so an idle loop is never woken. A call that takes longer than a second is
logged with the stack, once, and again with its duration when it is over.

A machine that is overloaded is not the code's fault: the loop's thread could run then, but does not
get to. Nor is a slow disk: without a frame of an author's code on the stack, it takes longer to be
told.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
import traceback
from functools import cache
from pathlib import Path
from types import FrameType

HELD = 1.0
"""Seconds after which an author's code is said to hold up the loop."""

HELD_BY_US = 5.0
"""Seconds, where there is none of it on the stack."""

LOOK = 0.5
"""Seconds between two looks."""

_SHOWN = 12
"""The innermost frames that are shown."""

_OURS = (str(Path(__file__).parent.parent), "<frozen")

_log = logging.getLogger(__name__)


class WatchdogThread(threading.Thread):
    """The thread of a watchdog: it does not count as work."""


class Watchdog:
    """Watches the running event loop, whose thread makes this, until it is stopped."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._watched = threading.current_thread()
        self._stopped = threading.Event()
        self._thread = WatchdogThread(target=self._watch, name="pycurrent watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Twice is fine."""
        self._stopped.set()
        self._thread.join(timeout=HELD)

    def _watch(self) -> None:
        while not self._stopped.wait(LOOK):
            if not _is_at_rest(self._frame()):
                self._ask()

    def _ask(self) -> None:
        """Have the loop answer; say so if it takes too long for that."""
        answered = threading.Event()
        asked = time.monotonic()
        cpu = self._cpu_seconds()
        try:
            self._loop.call_soon_threadsafe(answered.set)
        except RuntimeError:  # it is closed
            return
        told = ""
        while not answered.wait(LOOK / 2) and not self._stopped.is_set():
            held = time.monotonic() - asked
            if not told and held >= HELD and not self._is_starved(self._cpu_seconds() - cpu):
                told = self._tell(held)
        if told:
            held = time.monotonic() - asked
            _log.warning("the event loop goes on: it stood still for %.1f s%s", held, told)

    def _tell(self, held: float) -> str:
        """Say where it is; gives who holds it up, or "" if that is not to be told yet."""
        frames = _frames_of_callback(self._frame())
        if held < HELD_BY_US and not any(map(_is_authors, frames)):
            return ""
        who = self._who()
        stack = "".join(traceback.format_list(_summary(frames)))
        _log.warning(
            "the event loop stands still%s: all jobs, timers and pages wait for this. Put what"
            " blocks into `await asyncio.to_thread(...)`, a command into `await job.exec(...)`"
            ":\n%s",
            who,
            stack.rstrip("\n"),
        )
        return who or " "

    def _who(self) -> str:
        """The task that runs: those of jobs have their ids as names."""
        try:
            task = asyncio.current_task(self._loop)
        except RuntimeError:
            return ""
        return "" if task is None else f" in {task.get_name()}"

    def _frame(self) -> FrameType | None:
        return sys._current_frames().get(self._watched.ident or 0)

    def _cpu_seconds(self) -> float:
        """The time that its thread has used; 0 where the system does not tell."""
        try:
            return time.clock_gettime(time.pthread_getcpuclockid(self._watched.ident or 0))
        except (AttributeError, OSError):
            return 0.0

    def _is_starved(self, used: float) -> bool:
        """True if its thread could run, but does not get to."""
        stat = Path(f"/proc/self/task/{self._watched.native_id}/stat")
        try:
            state = stat.read_text().rpartition(")")[2].split()[0]
        except (OSError, IndexError):
            return False
        return state == "R" and used < HELD / 2


def _is_at_rest(frame: FrameType | None) -> bool:
    """True if the loop waits for something to happen."""
    if frame is None:
        return True
    outer = frame.f_back
    return (
        frame.f_code.co_name == "select"
        and outer is not None
        and outer.f_code.co_name == "_run_once"
    )


def _frames_of_callback(frame: FrameType | None) -> list[FrameType]:
    """From the call by the loop inwards."""
    frames: list[FrameType] = []
    while frame is not None and frame.f_code.co_name != "_run_once":
        frames.append(frame)
        frame = frame.f_back
    return frames[::-1]


def _is_authors(frame: FrameType) -> bool:
    name = frame.f_code.co_filename
    if name.startswith(_OURS):
        return False
    standard, installed = _libraries()
    return name.startswith(installed) or not name.startswith(standard)


@cache
def _libraries() -> tuple[str, tuple[str, str]]:
    """Where the standard library is, and where others are installed, which may be within it."""
    # Only here, because it takes a while to import, and most loops never stand still.
    import sysconfig

    paths = sysconfig.get_paths()
    return paths["stdlib"], (paths["purelib"], paths["platlib"])


def _summary(frames: list[FrameType]) -> list[traceback.FrameSummary]:
    """The frames from the first one that is an author's, if there is one."""
    first = next((place for place, frame in enumerate(frames) if _is_authors(frame)), 0)
    shown = frames[first:][-_SHOWN:]
    return list(traceback.StackSummary.extract((frame, frame.f_lineno) for frame in shown))
