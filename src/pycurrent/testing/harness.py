"""A real engine on a virtual clock."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from types import MappingProxyType
from typing import Any, Self

from pycurrent.cache import Cache, Handle, UnreadableValue
from pycurrent.engine import Config, Engine, JobState
from pycurrent.store import JobRecord
from pycurrent.term import Current, Output, Stats
from pycurrent.term.graph_data import Graph
from pycurrent.testing.clock import START, VirtualClock
from pycurrent.testing.idle import CountingExecutor, drain

GRACE = 0.02
"""How long, in real seconds, `settle` waits for a running job that waits for something which
the engine does not know of, a socket for example."""


@dataclass(frozen=True, slots=True)
class Build:
    """A recorded build, as `Harness.history` gives it.

    `outcome` is the value, or the message of the failure; None for one that was interrupted.
    """

    op: str
    key: str
    job_id: str
    build: int
    ok: bool | None
    outcome: Any
    ready: datetime
    running: datetime | None
    finished: datetime | None
    rebuild: bool
    value: str | None


class Harness:
    """Runs a pipeline in a test: a real engine, real jobs, real files, and a virtual clock.

    Jobs and monitors go on only while the test awaits something, `settle` above all. Time
    stands still but for `advance`.
    """

    def __init__(
        self,
        pipeline: Callable[[], Current[Any]],
        *,
        state_dir: Path | str,
        config: Config | None = None,
        start: datetime = START,
    ) -> None:
        self.clock = VirtualClock(start)
        self.engine = Engine(pipeline, state_dir=state_dir, config=config, clock=self.clock)
        self._threads = CountingExecutor()
        self._exit = AsyncExitStack()
        self._activity = 0

    async def __aenter__(self) -> Self:
        asyncio.get_running_loop().set_default_executor(self._threads)
        await self._exit.enter_async_context(self.engine)
        self.engine.listen(self._note)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._exit.aclose()

    def _note(self, step: object) -> None:
        self._activity += 1

    # Time

    async def settle(self) -> None:
        """Wait until nothing more can happen without outside help.

        Waits for commands and threads, in real time; not for confirmation, for the virtual
        clock, or for what the test itself has to do. Raises what stopped the engine, if
        anything did.
        """
        while True:
            await drain()
            self.engine.raise_if_crashed()
            if self._is_working():
                await asyncio.sleep(0.001)
            elif not await self._something_stirs():
                return

    def _is_working(self) -> bool:
        """Whether something is under way that will end by itself."""
        return self.engine.processes.running > 0 or self._threads.pending > 0

    async def _something_stirs(self) -> bool:
        """Give jobs that wait for what nobody here knows of the chance to go on."""
        if not (self._running_jobs() or self.engine.is_busy):
            return False
        before = self._activity
        until = monotonic() + GRACE
        while monotonic() < until:
            await asyncio.sleep(0.001)
            if self._activity != before or self._is_working():
                return True
        return False

    def _running_jobs(self) -> bool:
        cache = self.engine.service(Cache)
        return any(run.job.state in _AT_WORK for run in cache.runs())

    async def advance(self, duration: timedelta) -> None:
        """Move the clock, and settle."""
        self.clock.move(duration)
        await self.settle()

    # What it shows

    @property
    def output(self) -> Output[Any]:
        return self.engine.output

    @property
    def stats(self) -> Stats:
        return self.engine.stats

    @property
    def jobs(self) -> Mapping[str, Handle]:
        """The jobs that the pipeline uses now, running or finished, by their id."""
        return self.engine.jobs  # type: ignore[return-value]

    def find(self, description: str) -> Handle:
        """The job with this description, or the only one whose description contains it."""
        jobs = list(self.jobs.values())
        exact = [job for job in jobs if job.description == description]
        found = exact or [job for job in jobs if description in job.description]
        if len(found) != 1:
            known = ", ".join(sorted(repr(job.description) for job in jobs)) or "none"
            raise LookupError(f"{len(found)} jobs are described by {description!r}; jobs: {known}")
        return found[0]

    def log(self, description: str) -> str:
        """The log of the job that `find` gives."""
        return self.engine.state.job_path(self.find(description).id).read_text()

    def dot(self, *, unfold: Mapping[str, str] = MappingProxyType({})) -> str:
        return self.engine.dot(unfold=unfold)

    def graph(self, *, unfold: Mapping[str, str] = MappingProxyType({})) -> Graph:
        return self.engine.graph(unfold=unfold)

    def history(self, op: str | None = None) -> list[Build]:
        """The recorded builds, the oldest first."""
        records = self.engine.store.history(op, limit=1_000_000)
        return [self._build(record) for record in reversed(records)]

    def _build(self, record: JobRecord) -> Build:
        outcome: Any = record.outcome
        if record.ok:
            outcome = self._decode(record.op, record.outcome or "null")
        return Build(
            op=record.op,
            key=record.key,
            job_id=record.job_id,
            build=record.build,
            ok=record.ok,
            outcome=outcome,
            ready=record.ready,
            running=record.running,
            finished=record.finished,
            rebuild=record.rebuild,
            value=record.value,
        )

    def _decode(self, op: str, text: str) -> Any:
        spec = self.engine.service(Cache).find_spec(op)
        if spec is not None:
            try:
                return spec.outcome.decode(text)
            except UnreadableValue:
                pass
        return json.loads(text)


_AT_WORK = frozenset({JobState.CREATED, JobState.RUNNING})
