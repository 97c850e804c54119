"""The steps of an engine: asked for, taken in slices, and held.

Requests for a step that come together make one step. A step runs on the event loop's thread, and
two never run at once. Around each step

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
loop, and so on, so that the rest of the process has its turns; and one whose commit has to wait for
the disk goes on when that is done. While it is *unfinished*

- the output, the counts and the jobs are those of the last step, until listeners are told; the
  diagram first finishes the step, and who reads the nodes awaits `between`;
- requests are for the step after it, and no source that a component follows gives another value:
  jobs await `between` before they bring their results, monitors before they show what they
  have read, and for a `Var` that is set the old output is `held`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
from contextlib import asynccontextmanager
from contextvars import copy_context
from time import perf_counter
from typing import Any

from pycurrent.engine.changes import Changes, Ids, StepInputs
from pycurrent.engine.collector import collect_young, paused_collector
from pycurrent.engine.commits import Pause
from pycurrent.engine.crash import Crash
from pycurrent.engine.folder import keep_folder
from pycurrent.engine.open_resources import OpenResources
from pycurrent.engine.services import EngineServices
from pycurrent.engine.step import Listeners, Step, UsedJobs
from pycurrent.incr import Budget, Node, Observer
from pycurrent.term import Active, Activity, Current, Output, Services, Stats, TermGraph

SLICE = 0.01
"""Seconds that a step takes before the loop gets a turn, and others theirs."""
_STEPS_TO_COLLECT = 32


class Steps:
    """The steps of one engine, and the pipeline as it is after the last one."""

    def __init__(
        self,
        runtime: Services,
        resources: OpenResources,
        services: EngineServices,
        listeners: Listeners,
        crash: Crash,
        changes: Changes,
    ) -> None:
        self.count = 0
        """How many were taken."""
        self.budget = Budget(SLICE)
        """The time that a step may take before the loop gets a turn."""
        self.live = TermGraph(runtime, self.changed)
        """The nodes of the terms that are needed."""
        self.output: Output[Any] = Active(Activity.READY)
        self.jobs = UsedJobs()
        self._state = resources.state
        self._commits = resources.commits
        self._quiescence = resources.quiescence
        self._thread = resources.thread
        self._loop = resources.loop
        self._services = services
        self._listeners = listeners
        self._crash = crash
        self._pipeline: Current[Any] | None = None
        self._observer: Observer | None = None
        self._is_closed = False
        self._changes = changes
        self._woken: dict[Node, Ids] = {}
        self._is_due = True  # the first one, which `begin` takes
        self._holds = 0
        self._is_held = False
        self._unfinished: Generator[Pause, None, None] | None = None
        """The rest of the step that is being taken."""
        self._next_slice: asyncio.Handle | asyncio.Future[None] | None = None
        self._in_slice = False
        self._is_telling = False
        """True while listeners are told of the step: all else of it is done."""
        self._after_this: list[Callable[[], None]] = []
        self._context = copy_context()
        """Of what a step calls, and of what begins in it: never that of a job that asks for one."""
        self._context.run(keep_folder)
        self._last_stats: Stats | None = None
        """The counts of the last step, while another one is unfinished, and after the end."""

    def begin(self, pipeline: Current[Any]) -> None:
        """Begin the first step. Called once."""
        self._pipeline = pipeline
        self._context.run(self._begin)

    def stop(self) -> None:
        """Take no more steps, and leave one that is unfinished, unless listeners are being told of
        it. Twice is fine.
        """
        if not self._is_closed:
            if self._is_telling:
                self.finish()
            self._give_up()
            self._last_stats = self.stats
            self._is_closed = True

    async def aclose(self) -> None:
        """Take no more steps, and need the pipeline no longer. Twice is fine."""
        self.stop()
        observer, self._observer = self._observer, None
        if observer is None:
            return
        dropping = _uncollected(self.live.drop_in_slices(observer, self.budget))
        try:
            for _ in dropping:
                await asyncio.sleep(0)
        finally:
            for _ in dropping:
                """It was cancelled: the rest in one go."""

    @property
    def stats(self) -> Stats:
        """How many stages are in each state, as of the last step."""
        return self._last_stats or self.live.stats

    # Asking for one, and waiting for its end

    @property
    def are_pending(self) -> bool:
        """True if one is unfinished, or due as soon as records can be written."""
        due = self._is_due or self._unfinished is not None
        return due or (bool(self._woken) and self._commits.working)

    def request(self) -> None:
        """Have a step taken soon, or once records can be written. From the loop's thread only."""
        if not (self._is_due or self._is_closed) and self._commits.working:
            self._is_due = True
            self._loop.call_soon(self._begin, context=self._context)

    def changed(self, node: Node) -> None:
        """A source of the node has changed; called from any thread."""
        if not self._thread.is_here:
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self.changed, node)
        else:
            # Not pushed before the next step, as this may come in the middle of one.
            present = self._changes.present
            self._woken[node] = present or self._woken.get(node, ())
            self.request()

    @property
    def is_unfinished(self) -> bool:
        """True while a step is unfinished."""
        return self._unfinished is not None

    async def between(self) -> None:
        """Wait until no step is unfinished. The code up to the next `await` sees the nodes of a
        whole step; and a source that it changes gives another value from the next step on.
        """
        while self._unfinished is not None:
            await self._quiescence.notified()

    @property
    def may_act(self) -> bool:
        """True if what is done now is seen with a whole step: between two, or as a part of one."""
        return self._unfinished is None or self._in_slice

    def when_done(self, act: Callable[[], None]) -> None:
        """Call `act()`: at once, or else when the step that is unfinished is done."""
        if self.may_act:
            act()
        else:
            self._after_this.append(act)

    def finish(self) -> None:
        """Finish a step that is unfinished, in one go, so that the nodes are those of a whole one.
        Does nothing in the middle of a slice. Where something can wait, `between` is better.
        """
        while self._unfinished is not None and not self._in_slice:
            self._do_slice()

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Have no step taken in the block, which takes so long that it lets other things happen:
        what it reads of the pipeline is of one step. It begins once no step is unfinished; one that
        is due is taken after it.
        """
        await self.between()
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1
            self._begin_held()

    # Taking it, slice by slice

    def _begin(self) -> None:
        if self._holds or self._unfinished is not None:
            self._is_held = True
            return
        self._is_due = False
        if not (self._is_closed or self._crash.has_come):
            self._unfinished = self._take()
            self._go_on()

    def _begin_held(self) -> None:
        """Begin one that came while another was unfinished, or steps were held."""
        if self._is_held and not self._holds:
            self._is_held = False
            self._loop.call_soon(self._begin, context=self._context)

    def _go_on(self) -> None:
        """Go on with the step for one slice, and then in the next turn of the loop, or when what it
        waits for is done.
        """
        pause = self._do_slice()
        if self._unfinished is None:
            return
        if pause is None:
            self._next_slice = self._loop.call_soon(self._go_on, context=self._context)
        else:
            self._next_slice = pause
            pause.add_done_callback(self._waited, context=self._context)

    def _waited(self, pause: asyncio.Future[None]) -> None:
        # Unless somebody who can't wait has finished the step.
        if pause is self._next_slice:
            self._go_on()

    def _do_slice(self) -> Pause:
        """Do a slice of the step that is being taken. Gives what the rest of it waits for."""
        step, goes_on = self._unfinished, isinstance(self._next_slice, asyncio.Handle)
        if step is None or self._crash.has_come:
            self._give_up()
            return None
        self._in_slice = self.jobs.is_changing = True
        try:
            # The objects of the first step stay, and so do most of those that take long to make.
            with paused_collector(stays=not self.count or goes_on):
                pause = next(step)
            self.live.account.held.begin()
            return pause
        except StopIteration:
            self._end()
        except BaseException as error:
            # It is broken off half-way, so there must not be another one.
            self._crash.with_error(error)
            self._give_up()
            if isinstance(error, KeyboardInterrupt):
                raise
        finally:
            self._in_slice = self.jobs.is_changing = False
        return None

    def _end(self) -> None:
        self._unfinished = None
        self._is_telling = False
        if self._next_slice is not None:
            self._next_slice.cancel()
            self._next_slice = None
        self.live.account.held.end()
        if self.count % _STEPS_TO_COLLECT == 0:
            collect_young()
        if self._after_this:
            acts, self._after_this = self._after_this, []
            for act in acts:
                try:
                    act()
                except BaseException as error:
                    # The others must not be lost with it: jobs end so.
                    self._crash.with_error(error)
                    if isinstance(error, KeyboardInterrupt):
                        raise
        self._begin_held()

    def _give_up(self) -> None:
        """Leave a step unfinished for good, as the engine ends."""
        step = self._unfinished
        self._is_due = False
        self._end()
        if step is not None:
            step.close()
            self.live.abandon()
            self._quiescence.notify()

    def _take(self) -> Generator[Pause, None, None]:
        """Take a step. It pauses where a slice of it has taken long enough."""
        started = perf_counter()
        self._state.keep_lock()
        # The changes that come from here on are for the next step.
        woken, self._woken = self._woken, {}
        if not (yield from self._commits.in_step(self._services.make_more)):
            for node, changes in woken.items():
                self._woken[node] = self._woken.get(node) or changes
            return
        self._last_stats = self.live.stats
        yield from self._compute(woken)
        self.count += 1
        self._services.step_taken()
        yield from self._turn()
        if (yield from self._commits.in_step(self._services.make_more)):
            self._services.committed()
        yield from self._turn()
        self._last_stats = None
        self.jobs.show_changes()
        assert self._observer is not None
        self.output = self.live.output(self._observer.source)
        changed = tuple(self.live.take_changed())
        released = tuple(self.live.take_released())
        step = Step(self.count, perf_counter() - started, self.output, changed, released)
        self._is_telling = True
        for _ in self._listeners.telling(step):
            yield from self._turn()
        self._quiescence.notify()

    def _turn(self) -> Generator[Pause, None, None]:
        """Give the loop a turn if the slice has taken long enough."""
        if self.budget.is_used_up():
            yield None
            self.budget.begin()

    def _compute(self, woken: Mapping[Node, Ids]) -> Generator[Pause, None, None]:
        """Bring the terms up to date."""
        live, budget = self.live, self.budget
        inputs = StepInputs(self._changes, woken, is_first=not self.count)
        if self._observer is None:
            assert self._pipeline is not None
            root = yield from live.expand_in_slices(self._pipeline, budget)
            self._observer = live.observe(root)
        for node in woken:
            if node.users is not None:
                live.push(node)
        while not live.stabilise(budget):
            yield None
        new, live.account.new_inputs = live.account.new_inputs, []
        inputs.find(new)
        yield from self._turn()


def _uncollected(parts: Iterator[None]) -> Iterator[None]:
    """The parts, without a garbage collection: soon all that is to go has gone."""
    while True:
        with paused_collector(stays=True):
            try:
                next(parts)
            except StopIteration:
                return
        yield
