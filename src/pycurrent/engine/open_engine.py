"""An engine that is open: it keeps a pipeline up to date, and has all that its parts need.

It evaluates the pipeline once at the start, and then takes a *step* after each change: inputs
that changed are computed, and what depends on them. Requests for a step that come together
make one step. A step runs on the event loop's thread, and two never run at once. Around each step

1. results that jobs have brought are committed to the database, before the pipeline sees them:
   if that fails the step is not taken, but asked for again once it succeeds (see `Commits`);
2. the terms are brought up to date;
3. the services (the cache, monitors ...) start what is wanted and end what is not;
4. the records of what was started are committed, before its first line runs: if that fails it
   does not run before they are;
5. listeners are told what has changed.

So whatever moment the process is killed at, nothing that a user of the pipeline has seen is
lost, and no job has run without a record.

Most steps are over at once. One that takes longer than `SLICE` goes on in the next turn of the
loop, and so on, so that the rest of the process has its turns. While it is *unfinished*

- `output`, `stats` and `jobs` are those of the last step; `graph` first finishes the step, and who
  reads the nodes awaits `between_steps`;
- requests are for the step after it, and no source that a component follows gives another value:
  jobs await `between_steps` before they bring their results, monitors before they show what they
  have read, and for a `Var` that is set the old output is `held`.
"""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
)
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
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
from pycurrent.incr import Budget, Node, Observer
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

SLICE = 0.01
"""Seconds that a step takes before the loop gets a turn, and others theirs."""


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
        self.budget = Budget(SLICE)
        """The time that a step may take before the loop gets a turn."""
        self._unfinished: Generator[None, None, None] | None = None
        """The rest of the step that is being taken."""
        self._next_slice: asyncio.Handle | None = None
        self._in_slice = False
        self._after_this_step: list[Callable[[], None]] = []
        self._last_stats: Stats | None = None
        """The counts of the last step, while another one is unfinished, and after the end."""
        self._observer: Observer | None = None
        self._output: Output[Any] = Active(Activity.READY)
        self.live = TermGraph(self, self._requested)
        """The nodes of the terms that are needed."""
        with paused_collector(stays=True):
            self.pipeline, more = build_pipeline(pipeline)
        self.unused = [*unused, *more]
        """The names of terms that the pipeline has built and does not use: they never run."""
        self.commits.on_resumed(self.request_step)

    # Life

    def begin(self) -> None:
        """Begin the first step. Called once; `between_steps` waits for its end."""
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
        self._give_up_step()
        self._last_stats = self.stats
        self._is_closed = True
        try:
            await self._drop_all()
        finally:
            await self._aclose()

    async def _drop_all(self) -> None:
        """Need the pipeline no longer."""
        if self._observer is None:
            return
        dropping = self.live.drop_in_slices(self._observer, self.budget)
        try:
            for _ in dropping:
                await asyncio.sleep(0)
        finally:
            for _ in dropping:
                """It was cancelled: the rest in one go."""

    async def _aclose(self) -> None:
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
        return self._last_stats or self.live.stats

    @property
    def jobs(self) -> Mapping[str, JobHandle]:
        """The jobs that the pipeline uses, as of the last step, by id: running ones and finished
        ones.
        """
        return self._jobs

    @property
    def steps(self) -> int:
        """How many steps were taken."""
        return self._steps

    async def between_steps(self) -> None:
        """Wait until no step is unfinished. The code up to the next `await` sees the nodes of a
        whole step; and a source that it changes gives another value from the next step on.
        """
        while self._unfinished is not None:
            await self.quiescence.notified()

    @property
    def is_in_step(self) -> bool:
        """True while a step is unfinished."""
        return self._unfinished is not None

    def when_step_is_done(self, act: Callable[[], None]) -> None:
        """Call `act()`: at once, or else when the step that is unfinished is done."""
        if self._unfinished is None or self._in_slice:
            act()
        else:
            self._after_this_step.append(act)

    def finish_step(self) -> None:
        """Finish a step that is unfinished, in one go, so that the nodes are those of a whole one.
        Does nothing in the middle of a slice. Where something can wait, `between_steps` is better.
        """
        while self._unfinished is not None and not self._in_slice:
            self._do_slice()

    def graph(self, *, unfold: Mapping[str, str] = MappingProxyType({})) -> Graph:
        """The diagram as data. `unfold` maps the keys of folds to the values that are open.

        A step that is unfinished is finished first: await `between_steps` if that may take long.
        """
        self.finish_step()
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
        due = due or self._unfinished is not None
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

    @asynccontextmanager
    async def steps_held(self) -> AsyncIterator[None]:
        """Have no step taken in the block, which takes so long that it lets other things happen:
        what it reads of the pipeline is of one step. It begins once no step is unfinished; one that
        is due is taken after it.
        """
        await self.between_steps()
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
        if self._holds or self._unfinished is not None:
            self._step_held = True
            return
        self._step_due = False
        if not (self._is_closed or self._crash.done()):
            self._unfinished = self._take_step()
            self._go_on()

    def _go_on(self) -> None:
        """Go on with the step for one slice, and then in the next turn of the loop."""
        self._do_slice()
        if self._unfinished is not None:
            self._next_slice = self.loop.call_soon(self._go_on)

    def _do_slice(self) -> None:
        step, is_first_slice = self._unfinished, self._next_slice is None
        if step is None or self._crash.done():
            self._give_up_step()
            return
        self._in_slice = self._jobs.is_changing = True
        try:
            # The objects of the first step stay, and so do most of those that take long to make.
            with paused_collector(stays=not self._steps or not is_first_slice):
                next(step)
            self.live.account.held.begin()
        except StopIteration:
            self._end_step()
        except BaseException as error:
            # It is broken off half-way, so there must not be another one.
            self.crash(error)
            self._give_up_step()
            if isinstance(error, KeyboardInterrupt):
                raise
        finally:
            self._in_slice = self._jobs.is_changing = False

    def _end_step(self) -> None:
        self._unfinished = None
        if self._next_slice is not None:
            self._next_slice.cancel()
            self._next_slice = None
        self.live.account.held.end()
        if self._after_this_step:
            acts, self._after_this_step = self._after_this_step, []
            for act in acts:
                act()
        if self._step_held and not self._holds:
            self._step_held = False
            self.loop.call_soon(self._step)

    def _give_up_step(self) -> None:
        """Leave a step unfinished for good, as the engine ends."""
        step = self._unfinished
        self._step_due = False
        self._end_step()
        if step is not None:
            step.close()
            self.live.abandon()
            self.quiescence.notify()

    def _take_step(self) -> Generator[None, None, None]:
        """Take a step. It pauses where a slice of it has taken long enough."""
        started = perf_counter()
        self.state.keep_lock()
        if not self.commits.commit():
            return
        self._last_stats = self.live.stats
        is_long = yield from self._compute()
        self._steps += 1
        self._services.step_taken()
        if is_long:
            yield
        if self.commits.commit():
            self._services.committed()
        if is_long:
            yield
        self._last_stats = None
        self._jobs.show_changes()
        assert self._observer is not None
        self._output = self.live.output(self._observer.source)
        changed = tuple(self.live.take_changed())
        released = tuple(self.live.take_released())
        step = Step(self._steps, perf_counter() - started, self._output, changed, released)
        self._listeners.tell(step)
        self.quiescence.notify()

    def _compute(self) -> Generator[None, None, bool]:
        """Bring the terms up to date; True if that took more than one slice."""
        live, budget = self.live, self.budget
        woken, self._woken = self._woken, {}
        if self._observer is None:
            root = yield from live.expand_in_slices(self.pipeline, budget)
            self._observer = live.observe(root)
        for node in woken:
            if node.users is not None:
                live.push(node)
        is_long = False
        while not live.stabilise(budget):
            is_long = True
            yield
        if is_long:
            yield
        return is_long
