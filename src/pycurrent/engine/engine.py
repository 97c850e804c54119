"""The engine: keeps a pipeline up to date.

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
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from time import perf_counter
from types import MappingProxyType
from typing import Any, Self, TypeVar

from pycurrent.engine.arguments import check_engine
from pycurrent.engine.clock import Clock, SystemClock
from pycurrent.engine.collector import paused_collector
from pycurrent.engine.idle import Hold, Work
from pycurrent.engine.level import Config
from pycurrent.engine.opened import Opened
from pycurrent.engine.problems import Effect, Problem, Problems
from pycurrent.engine.step import JobHandle, Listeners, Step
from pycurrent.engine.thread import LoopThread
from pycurrent.engine.watchdog import Watchdog
from pycurrent.errors import PycurrentError
from pycurrent.incr import Node, Observer
from pycurrent.store import Sharing
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


class Engine:
    """Keeps the pipeline that `pipeline()` gives up to date.

    Use it as an async context manager, or await `run`. Only one engine can use a state
    directory at a time; a second raises `StateDirLocked`. What it makes there can be read by
    its owner, and if it is `shared` by the owner's group.
    """

    def __init__(
        self,
        pipeline: Callable[[], Current[Any]],
        *,
        state_dir: Path | str,
        config: Config | None = None,
        shared: bool = False,
        clock: Clock | None = None,
    ) -> None:
        check_engine(pipeline, state_dir, config)
        self.config = config or Config()
        self.clock = clock or SystemClock()
        self.stop_grace = 10.0
        """Seconds, by the clock on the wall, that what is to end may take before it is told to
        again: jobs when the engine is closed, and watches that nobody needs any more.
        """
        self.left_alone: list[str] = []
        """The jobs that had not ended when the engine was closed, although they were told to:
        their work may still go on in this process.
        """
        self.problems = Problems()
        """What is wrong with the engine itself, such as a full disk."""
        self._pipeline = pipeline
        self._state_path = Path(state_dir)
        self._sharing = Sharing.GROUP if shared else Sharing.OWNER
        self._live = TermGraph(self, self._requested)
        self._root: Current[Any] | None = None
        self.unused: list[str] = []
        """What the pipeline has built and does not use, by its name: it is never run."""
        self._observer: Observer | None = None
        self._output: Output[Any] = Active(Activity.READY)
        self._jobs: dict[str, JobHandle] = {}
        self._woken: dict[Node, None] = {}
        self._services: dict[Callable[[Any], Any], Any] = {}
        self._after_step: list[Callable[[], None]] = []
        self._after_commit: list[Callable[[], None]] = []
        self._listeners = Listeners()
        self._exit = AsyncExitStack()
        self._open = False
        self._steps = 0
        self._step_due = False
        self._crash: asyncio.Future[None] | None = None
        self.work = Work()

    # Life

    async def __aenter__(self) -> Self:
        if self._open or self._crash is not None:
            raise PycurrentError("an engine runs once: make another one")
        self._loop = asyncio.get_running_loop()
        self.thread = LoopThread()
        self._thread = threading.get_ident()
        self._crash = self._loop.create_future()
        self._exit.callback(Watchdog().stop)
        try:
            self._open_state()
        except BaseException:
            await self._exit.aclose()
            raise
        self._open = True
        try:
            self._begin()
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Cancel the jobs, end the monitors, and let go of the state directory.

        Returns when nothing is left running. Twice is fine.
        """
        if not self._open:
            return
        self._open = False
        if self._observer is not None:
            self._live.drop(self._observer)
        await self._exit.aclose()
        assert self._crash is not None
        if self._crash.done():
            # Whoever wanted to know has been told by `failed`.
            self._crash.exception()
        else:
            self._crash.cancel()

    async def run(self) -> None:
        """Keep the pipeline up to date until cancelled."""
        async with self:
            await self.failed()

    async def failed(self) -> None:
        """Wait until the engine can't go on, which is a bug, and raise why."""
        assert self._crash is not None
        await asyncio.shield(self._crash)

    def _open_state(self) -> None:
        opened = Opened(
            self._exit,
            self._state_path,
            self._sharing,
            self.config,
            self.clock,
            self.problems,
            self.work,
            self.thread,
            resumed=self.request_step,
        )
        self.state = opened.state
        self.forks = opened.forks
        self.store = opened.store
        self.leftovers = opened.leftovers
        self.processes = opened.processes
        self.host = opened.host
        self.log_rules = opened.log_rules
        self.threshold = opened.threshold
        self._commits = opened.commits

    def _begin(self) -> None:
        with paused_collector():
            self._root, unused = build_pipeline(self._pipeline)
            self.unused = [*self.unused, *unused]
            if (message := told(self.unused)) is not None:
                brief = "part of the pipeline is built and not used"
                self.problems.report("unused", Problem(brief, message, Effect.TOLD))
            self._observer = self._live.observe(self._live.expand(self._root))
            self._step()

    # What it shows

    @property
    def output(self) -> Output[Any]:
        """What the pipeline amounts to since the last step."""
        return self._output

    @property
    def stats(self) -> Stats:
        """How many stages are in each state. O(1)."""
        return self._live.stats

    @property
    def jobs(self) -> Mapping[str, JobHandle]:
        """The jobs that the pipeline uses now, by id: running ones and finished ones."""
        return MappingProxyType(self._jobs)

    @property
    def steps(self) -> int:
        """How many steps were taken."""
        return self._steps

    @property
    def pipeline(self) -> Current[Any]:
        """The term that is kept up to date."""
        assert self._root is not None
        return self._root

    @property
    def live(self) -> TermGraph:
        """The nodes of the terms that are needed."""
        return self._live

    def graph(self, *, unfold: Mapping[str, str] = MappingProxyType({})) -> Graph:
        """The diagram as data. `unfold` maps the keys of folds to the values that are open."""
        return graph_of(self.pipeline, self._live, unfold=unfold)

    def dot(self, *, unfold: Mapping[str, str] = MappingProxyType({})) -> str:
        """The diagram as Graphviz text."""
        return dot_of(self.graph(unfold=unfold))

    @property
    def idle(self) -> bool:
        """Whether nothing more happens without help from outside.

        Then no step is due, no monitor reads, and no job goes on: those that are left wait for
        confirmation, or in a queue behind such a job. Results that will expire, and watches that
        will be tried again after a failure, don't count; the release of confirmation does.
        """
        due = self._step_due or (self._woken and self._commits.working)
        return not (due or self.work.goes_on)

    @property
    def recorded(self) -> bool:
        """Whether all that should be on disk is, as far as is known; of an engine that has ended
        too.
        """
        return self._commits.working and not self._commits.lost

    def check_records(self) -> None:
        """Find out now whether the database is where it was; what is wrong is in `problems`."""
        self._commits.check()

    @property
    def releases_itself(self) -> bool:
        """Whether jobs that wait for confirmation will start by themselves after a time."""
        return self.threshold.releases_itself

    async def settled(self) -> None:
        """Wait until the engine is idle. It need not stay so."""
        while not self.idle:
            await self.work.stirred()

    def listen(self, listener: Callable[[Step], None]) -> Callable[[], None]:
        """Have `listener` told of each step, at its end; call what is returned to stop that."""
        return self._listeners.add(listener)

    # What services use

    def service(self, kind: Callable[[Engine], T]) -> T:
        """The one object of this kind, made as `kind(engine)` when first asked for."""
        found: T | None = self._services.get(kind)
        if found is None:
            found = self._services[kind] = kind(self)
        return found

    def after_step(self, hook: Callable[[], None]) -> None:
        """Have `hook` called after each step."""
        self._after_step.append(hook)

    def after_commit(self, hook: Callable[[], None]) -> None:
        """Have `hook` called after each step whose records were written: what it has started may
        begin.
        """
        self._after_commit.append(hook)

    def on_close(self, close: Callable[[], Awaitable[None]]) -> None:
        """Have `close` awaited when the engine ends, the last one first."""
        self._exit.push_async_callback(close)

    def hold(self) -> Hold:
        """What keeps the engine from being idle, while it is taken."""
        return Hold(self.work)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Something is done that will bring a change by itself: tests wait for it."""
        hold = self.hold()
        hold.take()
        try:
            yield
        finally:
            hold.drop()

    @property
    def is_busy(self) -> bool:
        return bool(self.work.holds)

    def use_job(self, handle: JobHandle) -> None:
        """The pipeline uses this job from now on."""
        self._jobs[handle.id] = handle

    def drop_job(self, job_id: str) -> None:
        self._jobs.pop(job_id, None)

    def raise_if_crashed(self) -> None:
        """Raise what stopped the engine, if anything did."""
        if self._crash is not None and self._crash.done() and not self._crash.cancelled():
            error = self._crash.exception()
            if error is not None:
                raise error

    def crash(self, error: BaseException) -> None:
        """The engine can't go on: `run` raises the error. The first one counts.

        What is no `Exception` would be taken for the end of those that it is told to.
        """
        assert self._crash is not None
        if not self._crash.done():
            if not isinstance(error, Exception) or isinstance(error, StopIteration):
                cause, error = error, PycurrentError(f"the engine can't go on: {error!r}")
                error.__cause__ = cause
            self._crash.set_exception(error)

    def request_step(self) -> None:
        """Have a step taken soon, or once records can be written. From the loop's thread only."""
        if not self._step_due and self._open and self._commits.working:
            self._step_due = True
            self._loop.call_soon(self._step)

    def _requested(self, node: Node) -> None:
        """A source of the node has changed; called from any thread."""
        if threading.get_ident() != self._thread:
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._requested, node)
        else:
            # Not pushed before the next step, as this may come in the middle of one.
            self._woken[node] = None
            self.request_step()

    # Steps

    def _step(self) -> None:
        self._step_due = False
        assert self._crash is not None
        if not self._open or self._crash.done():
            return
        try:
            with paused_collector():
                self._take_step()
        except BaseException as error:
            # It is broken off half-way, so there must not be another one.
            self.crash(error)
            if isinstance(error, KeyboardInterrupt):
                raise

    def _take_step(self) -> None:
        started = perf_counter()
        self.state.keep_lock()
        if not self._commits.commit():
            return
        self._steps += 1
        woken, self._woken = self._woken, {}
        for node in woken:
            if node.users is not None:
                self._live.push(node)
        self._live.stabilise()
        for hook in self._after_step:
            hook()
        if self._commits.commit():
            for hook in self._after_commit:
                hook()
        assert self._observer is not None
        self._output = self._live.output(self._observer.source)
        changed = tuple(self._live.take_changed())
        step = Step(self._steps, perf_counter() - started, self._output, changed)
        self._listeners.tell(step)
        self.work.stir()
