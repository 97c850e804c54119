"""Removes what the rules of retention let go, every so often, while the engine runs.

It is done in a thread, in steps that leave the loop and the database to others. When it is due,
it waits until the engine is idle, but not for long. The time of the last whole run is recorded, so
a restart does not put the next one off; a run that is broken off is begun again, and goes on where
it was.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextlib import suppress
from datetime import datetime, timedelta
from threading import Event

from msgspec import Struct, json

from pycurrent.cache import ResultCache
from pycurrent.engine import Effect, OpenEngine, Problem
from pycurrent.engine.tasks import in_thread
from pycurrent.errors import PycurrentError
from pycurrent.files import FileStore
from pycurrent.files.collecting import sweeping
from pycurrent.files.values import size_text
from pycurrent.store.gc import GcMode, GcReport, collect_garbage
from pycurrent.store.keep import NO_RETENTION, SETTING, WANTED, Part, Retention

_RAN = "retention ran"
"""The name under which the database remembers the time of the last whole run."""
_AT_START = timedelta(minutes=10)
"""After the start of an engine there is other work."""
_AGAIN = timedelta(hours=1)
"""After a failure."""
_PATIENCE = 4
"""It waits for a quiet time for one part in so many of the time between two runs."""
_LOOK = timedelta(seconds=30)
"""How often it looks for that."""
_TOPIC = "retention"

_log = logging.getLogger(__name__)


class _Stopped(Exception):
    """The engine ends."""


class Ran(Struct, frozen=True):
    """A run that has ended."""

    at: datetime
    took: timedelta
    report: GcReport


class Upkeep:
    """A service of the engine. Belongs to the thread of the event loop."""

    def __init__(self, engine: OpenEngine) -> None:
        self._engine = engine
        self._task: asyncio.Task[None] | None = None
        self._stop = Event()
        self._turn = asyncio.Lock()
        self._looks = asyncio.Lock()
        self.removed: Counter[Part] = Counter()
        """The parts that are removed since the start."""
        self.removed_bytes = 0
        """The bytes of logs and files."""
        self.last: Ran | None = None
        """The last run of this engine."""
        self.next: datetime | None = None
        """When the next one is due; None if there is none."""
        self.runs = 0
        """How many have ended since the start."""
        engine.on_end(self._record_wanted)
        engine.on_stop(self._end)

    @property
    def retention(self) -> Retention:
        """The rules that hold."""
        return self._engine.config.retention or NO_RETENTION

    @property
    def is_at_work(self) -> bool:
        """True while something is removed."""
        return self._turn.locked()

    def begin(self) -> None:
        """Record the rules, for `pycurrent gc` in other processes, and act by them from now on."""
        engine, text = self._engine, self.retention.text if self.retention else ""
        for name, now in ((SETTING, text), (WANTED, "")):
            if (engine.store.setting(name) or "") != now:
                engine.store.remember(name, now)
        config = engine.config
        if self.retention and config.gc_every is not None and not config.once:
            self.next = max(self._first(config.gc_every), engine.clock.now() + _AT_START)
            self._task = asyncio.ensure_future(self._go_on(self.next, config.gc_every))

    async def collect(self) -> GcReport:
        """Remove what may go; one call after the other. Raises `StoreError`."""
        async with self._turn:
            return await self._collected(GcMode.DELETE)

    async def would_remove(self) -> GcReport:
        """Say what may go, and remove nothing; one call after the other. Raises `StoreError`."""
        async with self._looks:
            return await self._collected(GcMode.DRY_RUN)

    async def _collected(self, mode: GcMode) -> GcReport:
        engine = self._engine
        instances = engine.service(ResultCache).instances

        def wanted(op: str, digest: str) -> bool:
            # From the thread: a look into two dictionaries, as they are at the moment.
            return instances.get(op, digest) is not None

        def go_on(line: str) -> None:
            if self._stop.is_set():
                raise _Stopped

        return await in_thread(
            collect_garbage,
            engine.state,
            retention=self.retention,
            wanted=wanted,
            now=engine.clock.now(),
            mode=mode,
            progress=go_on,
            sweep=sweeping(FileStore(engine.state.files)),
        )

    async def _go_on(self, due: datetime, every: timedelta) -> None:
        clock = self._engine.clock
        while True:
            await clock.sleep(due - clock.now())
            await self._quiet(every / _PATIENCE)
            is_done = await self._run()
            self.next = due = clock.now() + (every if is_done else min(_AGAIN, every))

    def _first(self, every: timedelta) -> datetime:
        ran = self._engine.store.setting(_RAN)
        with suppress(ValueError, TypeError):
            return datetime.fromisoformat(ran or "") + every
        return self._engine.clock.now()

    async def _quiet(self, longest: timedelta) -> None:
        """Wait until nothing happens, or for so long."""
        clock = self._engine.clock
        latest = clock.now() + longest
        while not self._engine.idle and clock.now() < latest:
            await clock.sleep(min(_LOOK, longest))

    async def _run(self) -> bool:
        """True if it is done."""
        engine, began = self._engine, self._engine.clock.now()
        try:
            report = await self.collect()
        except (PycurrentError, OSError) as error:
            self._tell(f"old logs and files can't be removed now: {error}")
            return False
        took = engine.clock.now() - began
        self.runs += 1
        self.removed.update({part: taken.jobs for part, taken in report.parts.items()})
        self.removed_bytes += report.log_bytes + report.content_bytes
        self.last = Ran(began, took, report)
        engine.store.remember(_RAN, began.isoformat())
        engine.request_step()
        _log.info("retention: %s", said(report))
        wrong = [f"no job of an operation in {rule} is recorded" for rule in report.unmatched]
        wrong += report.failures[:3]
        self._tell("; ".join(wrong) and f"retention: {'; '.join(wrong)}")
        if report.taken or report.contents:
            engine.audit.note("the engine", "gc", "retention", after=said(report))
        return True

    def _tell(self, message: str) -> None:
        if message:
            problem = Problem("old logs and files are not all removed", message, Effect.TOLD)
            self._engine.problems.report(_TOPIC, problem)
        else:
            self._engine.problems.clear(_TOPIC)

    async def _record_wanted(self) -> None:
        """Record the keys that are wanted at the end: no other process could tell."""
        engine = self._engine
        if not self.retention or not engine.steps or engine.is_in_step:
            return
        found: dict[str, list[str]] = {}
        for instance in engine.service(ResultCache).instances:
            found.setdefault(instance.op_type.id, []).append(instance.key.digest)
        engine.store.remember(WANTED, json.encode(found).decode())

    async def _end(self) -> None:
        self._stop.set()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError, _Stopped):
                await self._task


def said(report: GcReport) -> str:
    """A line about all that a run has removed."""
    parts = report.parts
    words = [f"{part.value} of {parts[part].jobs:,}" for part in Part if part in parts]
    size = size_text(report.log_bytes + report.content_bytes)
    return f"removed parts of jobs ({', '.join(words) or 'none'}); {size}"
