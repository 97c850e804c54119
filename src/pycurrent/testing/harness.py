"""A real engine on a virtual clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from types import MappingProxyType
from typing import Any, Self, cast

from pycurrent.cache import Handle
from pycurrent.engine import Config, OpenEngine
from pycurrent.facade import Engine
from pycurrent.term import Current, Output, Stats
from pycurrent.term.diagram import Graph
from pycurrent.testing.build import Build
from pycurrent.testing.clock import START, VirtualClock
from pycurrent.testing.new_database import lay_database
from pycurrent.testing.settling import PATIENCE, TICK, Settling

_FOREVER = 3600.0


class Harness:
    """Runs a pipeline in a test: a real engine, real jobs, real files, and a virtual clock.

    Use it as an async context manager, once; for a restart make another one with the same
    `state_dir`. Jobs and monitors go on only while the test awaits something, usually `settle`.
    Time stands still except during `advance`. At the end everything is cancelled, and if a bug has
    stopped the engine, it is raised.
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
        self.engine.on_open(_wait_for_the_disk)
        self._state_dir = state_dir
        self._settling: Settling | None = None
        self._is_open = False

    async def __aenter__(self) -> Self:
        self._settling = Settling()
        lay_database(self._state_dir)
        await self.engine.__aenter__()
        self._is_open = True
        return self

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        await self.engine.aclose()
        self._is_open = False
        if error is None:
            self.engine.raise_if_crashed()

    @property
    def is_open(self) -> bool:
        """True if the engine was started, and has not ended."""
        return self._is_open

    # Time

    async def settle(self, *, patience: float = PATIENCE) -> None:
        """Wait, in real time, until nothing more can happen without outside help.

        It waits

        - for steps, jobs and reads of monitors, as far as they can go on by themselves;
        - for threads (`asyncio.to_thread`) and commands, to their end, as long as they show a sign
          of life at least every `patience` seconds: use the processor, print, start or end;
        - for tasks of jobs that sleep in real time, up to a second each time;
        - if a job reads or writes something itself, such as a socket, until it has been quiet for
          50 ms.

        It does not wait for confirmation, for the virtual clock, for files that nobody has
        changed yet, or for futures and events that the test itself has to set: with only these
        left it returns at once. If a bug has stopped the engine, it is raised. To see a command at
        work that won't end by itself, use `until`.
        """
        assert self._settling is not None, "use the harness with `async with`"
        await self._settling.settle(self.engine.opened, patience)

    async def until(self, condition: Callable[[], object], *, timeout: float = 10.0) -> None:
        """Wait, in real time, until the condition holds, even if more is at work.

        It is called after each turn of the event loop, so it should be cheap. Raises TimeoutError
        after `timeout` seconds, or the bug that has stopped the engine.
        """
        end = monotonic() + timeout
        await self.engine.opened.between_steps()
        while not condition():
            self.engine.raise_if_crashed()
            if monotonic() > end:
                raise TimeoutError(
                    f"it did not come true within {timeout} s; the output is {self.output!r},"
                    f" and the stages are {self.stats}"
                )
            await asyncio.sleep(TICK)
            await self.engine.opened.between_steps()

    async def advance(self, duration: timedelta, *, patience: float = PATIENCE) -> None:
        """Let time pass: from one time for which something waits to the next, with a `settle`
        before the first and after each. So everything due on the way happens in its order, at its
        time, and as often as it would.

        `asyncio.sleep` takes real time, which is not on this clock. For a jump, like after a
        laptop's sleep, use `clock.move`. Raises ValueError for a negative duration.
        """
        if duration < timedelta(0):
            raise ValueError(f"time goes forward only, not by {duration}")
        await self.settle(patience=patience)
        while (due := self.clock.next_timer) is not None:
            wait = due - self.clock.now()
            if wait > duration:
                break
            self.clock.move(wait)
            duration -= wait
            await self.settle(patience=patience)
        self.clock.move(duration)
        await self.settle(patience=patience)

    # The present state

    @property
    def output(self) -> Output[Any]:
        """The output of the pipeline after the last step."""
        return self.engine.output

    @property
    def stats(self) -> Stats:
        """The number of stages in each state."""
        return self.engine.stats

    @property
    def jobs(self) -> Mapping[str, Handle]:
        """The jobs that the pipeline uses now, running or finished, by their id."""
        return cast("Mapping[str, Handle]", self.engine.jobs)

    def find(self, description: str) -> Handle:
        """The job with this description, or the only one whose description contains it.

        Raises LookupError, which names all jobs, for none or several.
        """
        jobs = list(self.jobs.values())
        exact = [job for job in jobs if job.description == description]
        found = exact or [job for job in jobs if description in job.description]
        if len(found) != 1:
            known = ", ".join(sorted(repr(job.description) for job in jobs)) or "none"
            raise LookupError(f"{len(found)} jobs are described by {description!r}; jobs: {known}")
        return found[0]

    def log(self, description: str) -> str:
        """The log so far of the job that `find` returns."""
        return self.find(description).log_text()

    def dot(self, *, unfold: Mapping[str, str] = MappingProxyType({})) -> str:
        """The diagram as Graphviz text. `unfold` maps the keys of folds to open values."""
        return self.engine.dot(unfold=unfold)

    def graph(self, *, unfold: Mapping[str, str] = MappingProxyType({})) -> Graph:
        """The diagram as data."""
        return self.engine.graph(unfold=unfold)

    def history(self, op: str | None = None) -> list[Build]:
        """The recorded builds of an operation, or of all, the oldest first."""
        records = self.engine.opened.store.history(op, limit=1_000_000)
        return [Build.of(record, self.engine.opened) for record in reversed(records)]


def _wait_for_the_disk(engine: OpenEngine) -> None:
    """Have no step pause for it: the turns of a test are the same on any disk."""
    engine.commits.moment = _FOREVER
