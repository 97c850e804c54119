"""The end of what jobs have left at other places, with nothing here that stands for it.

As a rule the relays of a killed engine end the commands of its jobs, and hold the jobs' locks until
these have ended. But when the engine's machine was started again, or somebody has killed a relay,
nobody here knows whether its command still runs. So the work of such a job is not begun again, at
any place, before one of this is so:

- the place was asked to end all that the job has there, and has said that nothing of it runs;
- the place is gone, with all that ran there;
- what runs there has been ended by its lease, which runs from the last word of the relay at the
  latest. When that was nobody knows, so it counts from the moment at which an engine has found the
  job; but not again for each engine that does, as long as this machine runs.

A job at a place has the file `fence` in its run folder, with all that is needed for that. The
folder stays until the end of this.
"""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pycurrent.engine.place_asking import said
from pycurrent.engine.process import Processes
from pycurrent.engine.tasks import in_thread
from pycurrent.errors import PycurrentError
from pycurrent.store.trees import remove_tree

if TYPE_CHECKING:
    from pycurrent.engine.leftovers import Leftover

_FENCE = "fence"
_HOOK = "hook-"
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_ENDED, _GONE = 0, 254
"""Of the command that ends all: nothing runs there any more, or the place is gone."""
_PAUSE, _LONGEST_PAUSE = 1.0, 10.0
"""Seconds until a place is asked again that did not answer: at first, and at most."""


class Fence(Struct, frozen=True):
    """The way to the end of all that a job has at a place."""

    place: str
    argv: tuple[str, ...]
    """See `Place.ending`."""
    bound: float
    """Seconds after the last word of its relay after which a command must have ended."""
    found: tuple[str, float] | None = None
    """When an engine has found that nothing stands for the job any more: this run of the machine,
    and the seconds that it had run for.
    """

    def write(self, folder: Path) -> None:
        """Have it in the run folder of a job, whole. Raises OSError."""
        part = folder / f"{_FENCE}.part"
        part.write_bytes(msgspec.json.encode(self))
        part.rename(folder / _FENCE)

    @classmethod
    def read(cls, folder: Path) -> Fence | None:
        """Return the one in a run folder; None if it has none."""
        try:
            return msgspec.json.decode((folder / _FENCE).read_bytes(), type=cls)
        except (OSError, msgspec.MsgspecError):
            return None


def hook_prefix(number: int) -> str:
    """The beginning of the name of the folder in which the relay of a hook's command runs."""
    return f"{_HOOK}{number}-"


def is_at_work(folder: Path) -> bool:
    """True if the run folder of a job that nobody runs any more has a fence, and a relay that was
    begun, and has not told how its command has ended.
    """
    if not (folder / _FENCE).exists():
        return False
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            is_relay = name[0].isdecimal() or name.startswith(_HOOK)
            has_begun = is_relay and not name.endswith(".new") and entry.is_dir()
            if has_begun and not (folder / name / "end").exists():
                return True
    return False


def is_fenced(folder: Path) -> bool:
    """True if an engine has already found that nothing stands for the job of this run folder."""
    fence = Fence.read(folder)
    return fence is not None and fence.found is not None


def _now() -> tuple[str, float]:
    # With the time that this machine has slept: leases run on meanwhile.
    return _BOOT.read_text().strip(), time.clock_gettime(time.CLOCK_BOOTTIME)


class FencedJob:
    """A job that has ended, and of which something may run on at a place."""

    def __init__(self, job_id: str, work: tuple[str, str] | None, folder: Path) -> None:
        """`work`: the id of the operation and the digest of the key, if they are known. Raises
        `LookupError` if the job's fence can't be read.
        """
        fence = Fence.read(folder)
        if fence is None:
            raise LookupError(folder)
        self.job_id = job_id
        self.work = work
        self._folder = folder
        boot, now = _now()
        if fence.found is None or fence.found[0] != boot:
            fence = replace(fence, found=(boot, now))
            with suppress(OSError):
                # If the disk is full, the next engine counts from its own start, which is later.
                fence.write(folder)
        assert fence.found is not None
        self._fence = fence
        self._until = fence.found[1] + fence.bound
        self._why: str | None = None
        self._ended = asyncio.Event()

    @property
    def has_ended(self) -> bool:
        return self._ended.is_set()

    async def end(self) -> None:
        """Wait for it."""
        await self._ended.wait()

    def __str__(self) -> str:
        left = max(0.0, self._until - _now()[1])
        told = "" if self._why is None else f" ({self._why}; else for {left:.0f} s, its lease)"
        return f"the end of what job {self.job_id} has left at {self._fence.place}{told}"

    async def see_to(
        self,
        processes: Processes,
        tmp: Path,
        turns: asyncio.Semaphore,
        left: Leftover | None = None,
    ) -> None:
        """Have it end, and wait until it has. Cancelled, the next engine goes on with that.

        Its relays may be among what is `left` of it: these are seen to their ends first. At most as
        many places are asked at once as there are `turns`.
        """
        if left is not None:
            await left.end()
        if is_at_work(self._folder):
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, self._until - _now()[1])):
                    await self._asked(processes, tmp, turns)
        self._ended.set()
        await in_thread(remove_tree, self._folder)

    async def _asked(self, processes: Processes, tmp: Path, turns: asyncio.Semaphore) -> None:
        pause = _PAUSE
        while True:
            async with turns:
                try:
                    answer = await said(processes, tmp, self._fence.argv)
                except PycurrentError as error:
                    self._why = str(error)
                else:
                    if answer.status in {_ENDED, _GONE}:
                        return
                    lines = answer.err.decode(errors="replace").strip().splitlines()
                    self._why = lines[-1] if lines else f"status {answer.status}"
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
