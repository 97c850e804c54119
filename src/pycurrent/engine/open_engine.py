"""An engine that is open: it keeps a pipeline up to date, and has all that its parts need.

It evaluates the pipeline once at the start, and then takes a *step* after each change: inputs
that changed are computed, and what depends on them. `steps.py` says when, and what a step keeps.

While a step is unfinished `output`, `stats` and `jobs` are those of the last step; `graph` first
finishes the step, and who reads the nodes awaits `between_steps`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from pycurrent.engine.approvals import CommitApprovals
from pycurrent.engine.audit import Audit
from pycurrent.engine.changes import Changes
from pycurrent.engine.collector import paused_collector
from pycurrent.engine.crash import Crash
from pycurrent.engine.mutes import Mutes
from pycurrent.engine.open_resources import EngineParts, OpenResources
from pycurrent.engine.overrides import Overrides
from pycurrent.engine.paused import PauseBoard
from pycurrent.engine.problems import Effect, Problem
from pycurrent.engine.quiescence import BusyToken
from pycurrent.engine.services import EngineServices
from pycurrent.engine.stage_overrides import StageOverrides
from pycurrent.engine.step import JobHandle, JobUser, Listeners, Step, ToldInParts
from pycurrent.engine.steps import Steps
from pycurrent.term import Current, Output, Stats, build_pipeline, docstring_of, is_failure, told

if TYPE_CHECKING:
    from pycurrent.term.diagram import Graph

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
        """The jobs that were told to end when the engine was closed, and had not: their work may
        still go on in this process.
        """
        self.audit = Audit(self.store, self.clock, self.request_step)
        """The acts of people and programs on this engine."""
        self.overrides = Overrides(self.store, self.clock, self.audit, self.commits.commit)
        """The things that people have set in it."""
        closing.callback(self.overrides.close)
        self._listeners = listeners
        self._services = EngineServices()
        self._crash = Crash()
        self._is_closed = False
        self.changes = Changes(self.store, self.clock, self.request_step)
        """The changes from outside, and what follows from which."""
        self.on_stop(self.changes.aclose)
        self.stepping = Steps(self, self, self._services, listeners, self._crash, self.changes)
        self.live = self.stepping.live
        """The nodes of the terms that are needed."""
        self.stage_overrides = StageOverrides(self)
        """Finds the stages for which people have set something."""
        closing.callback(self.stage_overrides.close)
        self.pauses = PauseBoard(
            self.overrides, self.stage_overrides, self.host.paused, self.live, self.thread
        )
        """The pauses that people set."""
        self.approvals = CommitApprovals(self.overrides, self.host.approved, self.thread)
        """The approvals of commits that people give."""
        self.mutes = Mutes(self)
        """The mutes that people set."""
        with paused_collector(stays=True):
            self.pipeline, more = build_pipeline(pipeline)
        self.about = docstring_of(pipeline)
        self.unused = [*unused, *more]
        """The names of terms that the pipeline has built and does not use: they never run."""
        self.commits.on_resumed(self.request_step)

    # Life

    def begin(self) -> None:
        """Begin the first step. Called once; `between_steps` waits for its end."""
        self._tell_unused()
        loop = asyncio.get_running_loop()
        self.live.unused.listener = lambda: loop.call_soon(self._tell_unused)
        self.overrides.begin()
        self.stepping.begin(self.pipeline)

    def _tell_unused(self) -> None:
        """Say what is built and not used, by functions of binds and lists too, as soon as it is."""
        inside = [name for name in self.live.unused.names if name not in self.unused]
        if (message := told([*self.unused, *inside])) is not None:
            brief = "part of the pipeline is built and not used"
            self.problems.report("unused", Problem(brief, message, Effect.TOLD))

    async def aclose(self) -> None:
        """Cancel the jobs, end the monitors, and let go of the state directory.

        Returns when nothing is left running. Twice is fine.
        """
        if self._is_closed:
            return
        self._is_closed = True
        try:
            self.stepping.stop()
            await self._services.end()
            await self.stepping.aclose()
        finally:
            await self._aclose()

    async def _aclose(self) -> None:
        try:
            await self._services.aclose()
        finally:
            await self._closing.aclose()
        self._crash.close()

    async def failed(self) -> None:
        """Wait until the engine can't go on, which is a bug, and raise why."""
        await self._crash.failed()

    # Its view

    @property
    def output(self) -> Output[Any]:
        """The output of the pipeline, as of the last step."""
        return self.stepping.output

    @property
    def stats(self) -> Stats:
        """How many stages are in each state. O(1)."""
        return self.stepping.stats

    @property
    def pipeline_failed(self) -> bool:
        """True if the function that builds the pipeline has failed: then no stage is known."""
        return is_failure(self.pipeline)

    @property
    def jobs(self) -> Mapping[str, JobHandle]:
        """The jobs that the pipeline uses, as of the last step, by id: running ones and finished
        ones.
        """
        return self.stepping.jobs

    @property
    def steps(self) -> int:
        """How many steps were taken."""
        return self.stepping.count

    async def between_steps(self) -> None:
        """Wait until no step is unfinished. The code up to the next `await` sees the nodes of a
        whole step; and a source that it changes gives another value from the next step on.
        """
        await self.stepping.between()

    @property
    def is_closed(self) -> bool:
        """True from the beginning of its end on."""
        return self._is_closed

    @property
    def is_in_step(self) -> bool:
        """True while a step is unfinished."""
        return self.stepping.is_unfinished

    def when_step_is_done(self, act: Callable[[], None]) -> None:
        """Call `act()`: at once, or else when the step that is unfinished is done."""
        self.stepping.when_done(act)

    def finish_step(self) -> None:
        """Finish a step that is unfinished, in one go, so that the nodes are those of a whole one.
        Does nothing in the middle of a slice. Where something can wait, `between_steps` is better.
        """
        self.stepping.finish()

    def graph(self, *, unfold: Mapping[str, str] = MappingProxyType({})) -> Graph:
        """The diagram as data. `unfold` maps the keys of folds to the values that are open.

        A step that is unfinished is finished first: await `between_steps` if that may take long.
        """
        from pycurrent.term.diagram import graph_of  # few runs need it

        self.finish_step()
        return graph_of(self.pipeline, self.live, unfold=unfold)

    def dot(self, *, unfold: Mapping[str, str] = MappingProxyType({})) -> str:
        """The diagram as Graphviz text."""
        from pycurrent.term.diagram import dot_of

        return dot_of(self.graph(unfold=unfold))

    @property
    def idle(self) -> bool:
        """True if nothing more happens without help from outside.

        Then no step is due, no monitor reads, and no job goes on: those that are left wait for
        confirmation, or in a queue behind such a job. Results that will expire, and watches that
        will be tried again after a failure, don't count; the release of confirmation does.
        """
        return not (self.stepping.are_pending or self.quiescence.is_pending)

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
        is_new = True
        while is_new:
            while not self.idle:
                await self.quiescence.notified()
            is_new = self._services.look()

    def listen(self, listener: Callable[[Step], None]) -> Callable[[], None]:
        """Have `listener` told of each step, at its end; call what is returned to stop that."""
        return self._listeners.add(listener)

    def listen_in_parts(self, listener: ToldInParts) -> Callable[[], None]:
        """The same for one that looks at all changes: see `Listeners.add_in_parts`."""
        return self._listeners.add_in_parts(listener)

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

    def during_commit(self, more: Callable[[], bool]) -> None:
        """Have `more` called while a commit of a step is at work: it goes on with what was put off
        after an earlier step, and tells whether there was anything. It is recorded with the next
        commit.
        """
        self._services.during_commit(more)

    def before_settled(self, look: Callable[[], bool]) -> None:
        """Have `look` called when the engine seems settled. If it returns True, it has found
        something new, which is waited for.
        """
        self._services.before_settled(look)

    def on_end(self, end: Callable[[], Awaitable[None]]) -> None:
        """Have `end` awaited when the engine ends, before the pipeline is dropped."""
        self._services.on_end(end)

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
        self.stepping.jobs.add(job_id, user)

    def drop_job(self, job_id: str) -> None:
        self.stepping.jobs.remove(job_id)

    def raise_if_crashed(self) -> None:
        """Raise what stopped the engine, if anything did."""
        self._crash.raise_if_any()

    def crash(self, error: BaseException) -> None:
        """Stop the engine with an error, which `run` raises. The first one counts.

        An error that is not an `Exception` is wrapped: raised as it is, it would end its listeners.
        """
        self._crash.with_error(error)

    def request_step(self) -> None:
        """Have a step taken soon, or once records can be written. From the loop's thread only."""
        self.stepping.request()

    def steps_held(self) -> AbstractAsyncContextManager[None]:
        """Have no step taken in the block, which takes so long that it lets other things happen:
        what it reads of the pipeline is of one step. It begins once no step is unfinished; one that
        is due is taken after it.
        """
        return self.stepping.held()
