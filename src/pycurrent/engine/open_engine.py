"""An engine that is open: it keeps a pipeline up to date, and has all that its parts need.

It evaluates the pipeline once at the start, and then takes a *step* after each change: inputs
that changed are computed, and what depends on them. Requests for a step that come together
make one step. A step is synchronous and runs on the event loop's thread, so two never run at
once. Around each step

1. results that jobs have brought are committed to the database, before the pipeline sees them:
   if that fails the step is not taken, but asked for again once it succeeds (see `Commits`);
2. the terms are brought up to date;
3. the services (the cache, monitors ...) start what is wanted and end what is not;
4. the records of what was started are committed, before its first line runs: if that fails it
   does not run before they are;
5. listeners are told what has changed.

So whatever moment the process is killed at, nothing that a user of the pipeline has seen is
lost, and no job has run without a record.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from time import perf_counter
from types import MappingProxyType
from typing import Any, TypeVar

from pycurrent.engine.audit import Audit
from pycurrent.engine.collector import paused_collector
from pycurrent.engine.open_resources import EngineParts, OpenResources
from pycurrent.engine.problems import Effect, Problem
from pycurrent.engine.quiescence import BusyToken
from pycurrent.engine.services import EngineServices
from pycurrent.engine.step import JobHandle, JobUser, Listeners, Step, UsedJobs
from pycurrent.errors import PycurrentError
from pycurrent.incr import Node
from pycurrent.term import (
    Active,
    Activity,
    Current,
    Graph,
    Output,
    Stats,
    TermGraph,
    build_pipeline,
    dot_of,
    graph_of,
    told,
)

T = TypeVar("T")


class OpenEngine(OpenResources):
    """Keeps a pipeline up to date, from `begin` to `aclose`.

    It is complete from its construction on, and belongs to the thread of the event loop that runs
    then. The public `Engine` opens what this is given, and is its face.
    """

    def __init__(
        self,
        pipeline: Callable[[], Current[Any]],
        parts: EngineParts,
        *,
        listeners: Listeners,
        closing: AsyncExitStack,
        unused: Iterable[str] = (),
    ) -> None:
        """`closing` closes the parts, and gets what closes the rest; its maker closes it if the
        construction fails. `unused` names terms that are known to be built and not used.
        """
        super().__init__(parts, closing)
        self.stop_grace = 10.0
        """Seconds, by the clock on the wall, that what is to end may take before it is told to
        again: jobs when the engine is closed, and watches that nobody needs any more.
        """
        self.left_alone: list[str] = []
        """The jobs that had not ended when the engine was closed, although they were told to:
        their work may still go on in this process.
        """
        self.audit = Audit(self.store, self.clock, self.request_step)
        """The acts of people and programs on this engine."""
        self._listeners = listeners
        self._services = EngineServices()
        self._jobs = UsedJobs()
        self._crash: asyncio.Future[None] = self.loop.create_future()
        self._is_closed = False
        self._woken: dict[Node, None] = {}
        self._steps = 0
        self._holds = 0
        self._step_held = False
        self._step_due = True  # the first one, which `begin` takes
        self._output: Output[Any] = Active(Activity.READY)
        self.live = TermGraph(self, self._requested)
        """The nodes of the terms that are needed."""
        with paused_collector(stays=True):
            self.pipeline, more = build_pipeline(pipeline)
            self._observer = self.live.observe(self.live.expand(self.pipeline))
        self.unused = [*unused, *more]
        """The names of terms that the pipeline has built and does not use: they never run."""
        self.commits.on_resumed(self.request_step)

    # Life

    def begin(self) -> None:
        """Take the first step. Called once."""
        if (message := told(self.unused)) is not None:
            brief = "part of the pipeline is built and not used"
            self.problems.report("unused", Problem(brief, message, Effect.TOLD))
        self._step()

    async def aclose(self) -> None:
        """Cancel the jobs, end the monitors, and let go of the state directory.

        Returns when nothing is left running. Twice is fine.
        """
        if self._is_closed:
            return
        self._is_closed = True
        self.live.drop(self._observer)
        try:
            await self._services.aclose()
        finally:
            await self._closing.aclose()
        if self._crash.done():
            # Marked as seen: `failed` has raised it for those who waited.
            self._crash.exception()
        else:
            self._crash.cancel()

    async def failed(self) -> None:
        """Wait until the engine can't go on, which is a bug, and raise why."""
        await asyncio.shield(self._crash)

    # Its view

    @property
    def output(self) -> Output[Any]:
        """The output of the pipeline, as of the last step."""
        return self._output

    @property
    def stats(self) -> Stats:
        """How many stages are in each state. O(1)."""
        return self.live.stats

    @property
    def jobs(self) -> Mapping[str, JobHandle]:
        """The jobs that the pipeline uses now, by id: running ones and finished ones."""
        return self._jobs

    @property
    def steps(self) -> int:
        """How many steps were taken."""
        return self._steps

    def graph(self, *, unfold: Mapping[str, str] = MappingProxyType({})) -> Graph:
        """The diagram as data. `unfold` maps the keys of folds to the values that are open."""
        return graph_of(self.pipeline, self.live, unfold=unfold)

    def dot(self, *, unfold: Mapping[str, str] = MappingProxyType({})) -> str:
        """The diagram as Graphviz text."""
        return dot_of(self.graph(unfold=unfold))

    @property
    def idle(self) -> bool:
        """True if nothing more happens without help from outside.

        Then no step is due, no monitor reads, and no job goes on: those that are left wait for
        confirmation, or in a queue behind such a job. Results that will expire, and watches that
        will be tried again after a failure, don't count; the release of confirmation does.
        """
        due = self._step_due or (self._woken and self.commits.working)
        return not (due or self.quiescence.is_pending)

    @property
    def recorded(self) -> bool:
        """True if everything that should be on disk is there, as far as is known; also after the
        end.
        """
        return self.commits.working and not self.commits.lost

    def check_records(self) -> None:
        """Check now that the database is where it was; if not, `problems` says so."""
        self.commits.check()

    @property
    def releases_itself(self) -> bool:
        """True if jobs that wait for confirmation will start by themselves after a time."""
        return self.threshold.releases_itself

    async def settled(self) -> None:
        """Wait until the engine is idle. It need not stay so."""
        while not self.idle:
            await self.quiescence.notified()

    def listen(self, listener: Callable[[Step], None]) -> Callable[[], None]:
        """Have `listener` told of each step, at its end; call what is returned to stop that."""
        return self._listeners.add(listener)

    # For services

    def service(self, kind: Callable[[OpenEngine], T]) -> T:
        """The one object of this kind, made as `kind(engine)` when first asked for."""
        return self._services.get(kind, self)

    def after_step(self, hook: Callable[[], None]) -> None:
        """Have `hook` called after each step."""
        self._services.after_step(hook)

    def after_commit(self, hook: Callable[[], None]) -> None:
        """Have `hook` called after each step whose records were written: what it has started may
        begin.
        """
        self._services.after_commit(hook)

    def on_stop(self, stop: Callable[[], Awaitable[None]]) -> None:
        """Have `stop` awaited when the engine ends, before any service is closed: it ends the
        work that uses them.
        """
        self._services.on_stop(stop)

    def on_close(self, close: Callable[[], Awaitable[None]]) -> None:
        """Have `close` awaited when the engine ends, the last one first."""
        self._services.on_close(close)

    def busy_token(self) -> BusyToken:
        """A new token that keeps the engine from being idle while it is held."""
        return BusyToken(self.quiescence)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Keep the engine from being idle for the block, which brings a change by itself."""
        token = self.busy_token()
        token.acquire()
        try:
            yield
        finally:
            token.release()

    @property
    def is_busy(self) -> bool:
        return bool(self.quiescence.tokens)

    def use_job(self, job_id: str, user: JobUser) -> None:
        """The pipeline uses this job from now on."""
        self._jobs.add(job_id, user)

    def drop_job(self, job_id: str) -> None:
        self._jobs.remove(job_id)

    def raise_if_crashed(self) -> None:
        """Raise what stopped the engine, if anything did."""
        if self._crash.done() and not self._crash.cancelled():
            error = self._crash.exception()
            if error is not None:
                raise error

    def crash(self, error: BaseException) -> None:
        """Stop the engine with an error, which `run` raises. The first one counts.

        An error that is not an `Exception` is wrapped: raised as it is, it would end its listeners.
        """
        if not self._crash.done():
            if not isinstance(error, Exception) or isinstance(error, StopIteration):
                cause, error = error, PycurrentError(f"the engine can't go on: {error!r}")
                error.__cause__ = cause
            self._crash.set_exception(error)

    def request_step(self) -> None:
        """Have a step taken soon, or once records can be written. From the loop's thread only."""
        if not (self._step_due or self._is_closed) and self.commits.working:
            self._step_due = True
            self.loop.call_soon(self._step)

    @contextmanager
    def steps_held(self) -> Iterator[None]:
        """Have no step taken in the block, which takes so long that it lets other things happen:
        what it reads of the pipeline is of one step. A step that is due is taken after it.
        """
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1
            if self._step_held and not self._holds:
                self._step_held = False
                self.loop.call_soon(self._step)

    def _requested(self, node: Node) -> None:
        """A source of the node has changed; called from any thread."""
        if not self.thread.is_here:
            if not self.loop.is_closed():
                self.loop.call_soon_threadsafe(self._requested, node)
        else:
            # Not pushed before the next step, as this may come in the middle of one.
            self._woken[node] = None
            self.request_step()

    # Steps

    def _step(self) -> None:
        if self._holds:
            self._step_held = True
            return
        self._step_due = False
        if self._is_closed or self._crash.done():
            return
        try:
            with paused_collector(stays=not self._steps):
                self._take_step()
        except BaseException as error:
            # It is broken off half-way, so there must not be another one.
            self.crash(error)
            if isinstance(error, KeyboardInterrupt):
                raise

    def _take_step(self) -> None:
        started = perf_counter()
        self.state.keep_lock()
        if not self.commits.commit():
            return
        self._steps += 1
        woken, self._woken = self._woken, {}
        for node in woken:
            if node.users is not None:
                self.live.push(node)
        self.live.stabilise()
        self._services.step_taken()
        if self.commits.commit():
            self._services.committed()
        self._output = self.live.output(self._observer.source)
        changed = tuple(self.live.take_changed())
        released = tuple(self.live.take_released())
        step = Step(self._steps, perf_counter() - started, self._output, changed, released)
        self._listeners.tell(step)
        self.quiescence.notify()
