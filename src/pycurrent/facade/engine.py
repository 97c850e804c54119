"""The engine as its author has it: made anywhere, opened once, asked for what it shows.

All that happens in it is an `OpenEngine`'s. This opens what that needs, hands it over, and is its
face: the public names stay few, and the rooms to the right take the open engine itself.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack

from pycurrent.cache import ResultCache, codec_for
from pycurrent.engine import (
    Clock,
    Config,
    EngineParts,
    JobHandle,
    Listeners,
    OpenEngine,
    Problems,
    Step,
    SystemClock,
)
from pycurrent.engine.arguments import check_engine
from pycurrent.engine.collector import full_collections_held
from pycurrent.engine.descriptors import Descriptors
from pycurrent.engine.job_details import DetailsReader
from pycurrent.engine.watchdog import Watchdog
from pycurrent.errors import PycurrentError
from pycurrent.explain.details import JobExplainer
from pycurrent.explain.failures import FailureRecorder
from pycurrent.explain.passes import PassCounter
from pycurrent.explain.uses import UseRecorder
from pycurrent.facade.people import PeopleActs
from pycurrent.store import Database, Sharing, StateDir
from pycurrent.term import Active, Activity, Current, Output, Stats, unmuted

if TYPE_CHECKING:
    from datetime import datetime

    from pycurrent.engine import LogRules, Processes
    from pycurrent.engine.job_reports import JobReports
    from pycurrent.explain.health import StageHealth
    from pycurrent.explain.history import HistoryEntry
    from pycurrent.explain.why import Why
    from pycurrent.facade.coverage import CoverageRecords
    from pycurrent.facade.tests import TestRecords
    from pycurrent.store import AuditFilters, AuditRecord
    from pycurrent.term.diagram import Graph

T = TypeVar("T")

OpenHook = Callable[[OpenEngine], Awaitable[None] | None]


class _Face:
    """The service by which an open engine knows its face."""

    engine: Engine

    def __init__(self, opened: OpenEngine) -> None:
        """The engine is set when it opens."""


class Engine(PeopleActs):
    """Keeps the pipeline that `pipeline()` returns up to date.

    Use it as an async context manager, or await `run`; once. All that it keeps is in the folder
    `state_dir`, which is made if it is missing. Only one engine can use that at a time; a second
    raises `StateDirLocked`. The files it makes there can be read by their owner, and if it is
    `shared` by the owner's group. `config` says which levels need confirmation, and what is made
    again at the start; schedules and timeouts go by the `clock`, which tests replace.

    Before it is open it has neither output nor stages nor jobs; after its end they are
    as they were last.
    """

    def __init__(
        self,
        pipeline: Callable[[], Current[Any]],
        *,
        state_dir: Path | str,
        config: Config | None = None,
        shared: bool = False,
        clock: Clock | None = None,
        hold_gc: bool = True,
    ) -> None:
        """While it is open it begins Python's full garbage collections only when it is idle, and
        freezes what the pipeline is made of; all is as before when it is closed. With `hold_gc`
        False, or if the collector is off, it leaves that alone.
        """
        check_engine(pipeline, state_dir, config)
        self.config = config or Config()
        self.clock = clock or SystemClock()
        self.problems = Problems()
        """The problems of the engine itself, such as a full disk."""
        self.unused: list[str] = []
        """The names of terms that the pipeline has built and does not use: they never run."""
        self._pipeline = pipeline
        self._state_path = Path(state_dir)
        self._sharing = Sharing.GROUP if shared else Sharing.OWNER
        self._holds_gc = hold_gc
        self._listeners = Listeners()
        self._hooks: list[OpenHook] = []
        self._was_entered = False
        self._opened: OpenEngine | None = None

    # Life

    def on_open(self, hook: OpenHook) -> None:
        """Have `hook(open_engine)` called, and awaited if it is async, once the engine is open and
        before its first step. If it raises, the engine is closed again.
        """
        if self._opened is not None:
            raise PycurrentError("the engine is open already: call on_open before")
        self._hooks.append(hook)

    @staticmethod
    def of(opened: OpenEngine) -> Engine:
        """The engine that has opened this one."""
        return opened.service(_Face).engine

    async def __aenter__(self) -> Self:
        if self._was_entered:
            raise PycurrentError("an engine runs once: make another one")
        self._was_entered = True
        closing = AsyncExitStack()
        try:
            if self._holds_gc:
                closing.enter_context(full_collections_held(SystemClock(), lambda: self.idle))
            closing.callback(Watchdog().stop)
            opened = self._opened = self._open(closing)
        except BaseException:
            await closing.aclose()
            raise
        opened.service(_Face).engine = self
        try:
            for hook in self._hooks:
                waiting = hook(opened)
                if inspect.isawaitable(waiting):
                    await waiting
            if self.config.retention is not None or opened.store.setting("retention"):
                from pycurrent.facade.upkeep import Upkeep  # few engines have rules

                opened.service(Upkeep).begin()
            opened.begin()
            await opened.between_steps()
        except BaseException:
            await opened.aclose()
            raise
        return self

    async def leave(self) -> int:
        """End all jobs but those that are durable and have begun, which stay at work for the next
        engine; gives the number of these. All is recorded that was done.

        The process has to end when this returns, by `os._exit` or `os.execv`: the work of the jobs
        that stay must not go on here, nor be wound up.
        """
        opened = self.opened
        opened.stepping.stop()
        left = await opened.service(ResultCache).runs.leave()
        await opened.commits.written()
        return left

    def _open(self, closing: AsyncExitStack) -> OpenEngine:
        state = closing.enter_context(StateDir.open(self._state_path, sharing=self._sharing))
        store = Database.open(state.database, sharing=self._sharing)
        closing.callback(store.close)
        descriptors = Descriptors()
        closing.callback(descriptors.close)

        def processes() -> Processes:
            from pycurrent.engine import Processes  # few runs have commands

            return Processes(descriptors=descriptors.soft)

        def reports() -> JobReports:
            from pycurrent.reports.taking import Reports  # few runs have any

            return Reports(state.database, self.clock.now)

        parts = EngineParts(
            state=state,
            store=store,
            processes=processes,
            descriptors=descriptors,
            clock=self.clock,
            config=self.config,
            problems=self.problems,
            codec_of=codec_for,
            reports=reports,
        )
        opened = OpenEngine(
            self._pipeline,
            parts,
            listeners=self._listeners,
            closing=closing,
            unused=self.unused,
        )
        self.unused = opened.unused
        opened.service(UseRecorder)
        opened.service(FailureRecorder)
        opened.service(DetailsReader).read_by(opened.service(JobExplainer).details)
        opened.service(PassCounter)
        return opened

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Cancel the jobs, end the monitors, and let go of the state directory.

        Returns when nothing is left running. Twice is fine, and so is before it is open.
        """
        if self._opened is not None:
            await self._opened.aclose()

    async def run(self) -> None:
        """Keep the pipeline up to date until cancelled."""
        async with self:
            await self.failed()

    async def failed(self) -> None:
        """Wait until the engine can't go on, which is a bug, and raise why."""
        await self.opened.failed()

    def raise_if_crashed(self) -> None:
        """Raise what stopped the engine, if anything did."""
        self.opened.raise_if_crashed()

    @property
    def opened(self) -> OpenEngine:
        """The open engine. After its end it can be read, but does nothing any more."""
        if self._opened is None:
            raise PycurrentError("the engine is not open: use it within `async with engine`")
        return self._opened

    # Its view

    @property
    def output(self) -> Output[Any]:
        """The output of the pipeline, as of the last step. Not known before the first one."""
        return Active(Activity.READY) if self._opened is None else unmuted(self._opened.output)

    @property
    def stats(self) -> Stats:
        """How many stages are in each state. O(1)."""
        return Stats() if self._opened is None else self._opened.stats

    @property
    def jobs(self) -> Mapping[str, JobHandle]:
        """The jobs that the pipeline uses now, by id: running ones and finished ones."""
        return {} if self._opened is None else self._opened.jobs

    @property
    def steps(self) -> int:
        """How many steps were taken."""
        return 0 if self._opened is None else self._opened.steps

    @property
    def log_rules(self) -> LogRules:
        """The rules that say why a job failed, kept in the database."""
        return self.opened.log_rules

    def audit(self, **filters: Unpack[AuditFilters]) -> list[AuditRecord]:
        """The acts of people and programs on this engine, refused ones too, the newest first.

        At most `limit` (100), those to which all filters apply: `who`, `what`, `subject` (the id
        of a job, say), `since`, `until` (not included; both aware), `before` (the `id` of the last
        row of a page, to get the next one).
        """
        return self.opened.audit.rows(**filters)

    def history(
        self,
        *,
        op: str | None = None,
        key: str | None = None,
        path: str | None = None,
        labels: Mapping[str, str] = MappingProxyType({}),
        ok: bool | None = None,
        since: datetime | None = None,
        limit: int = 100,
    ) -> list[HistoryEntry]:
        """The recorded jobs to which all of these apply: first those that have not ended, then the
        others, the one that ended last first; at most `limit`. Superseded ones are left out.

        `path` is that of a stage that has used the job, and `labels` are labels of this stage; both
        may be globs. `since` (aware) is when it ended at the earliest.
        """
        from pycurrent.explain.history import page_of  # few runs need it
        from pycurrent.store import SHOWN, HistoryFilter, LabelFilter

        wanted = HistoryFilter(
            op=op,
            key=key,
            path=path,
            labels=tuple([LabelFilter(name, value) for name, value in labels.items()]),
            ok=ok,
            since=since,
            ends=SHOWN | {None},
        )
        return [*page_of(self.opened.store, wanted, limit=limit).entries]

    def job(self, job_id: str) -> HistoryEntry | None:
        """The record of a job, ended or not; None if there is none."""
        from pycurrent.explain.history import recorded_job

        return recorded_job(self.opened.store, job_id)

    @property
    def tests(self) -> TestRecords:
        """The tests that jobs have reported."""
        from pycurrent.facade.tests import TestRecords  # few runs need it

        return TestRecords(self.opened.store.tests)

    @property
    def coverage(self) -> CoverageRecords:
        """The coverage that jobs have reported."""
        from pycurrent.facade.coverage import CoverageRecords  # few runs need it

        return CoverageRecords(self.opened.store.coverage)

    def why(self, subject: str) -> Why:
        """Why a stage, given by its path, is as it is, or why the job with an id was run.

        `str` of it is for people. A step that is unfinished is finished first. Raises
        `UnknownSubject` for what is neither.
        """
        from pycurrent.explain.explainer import Explainer  # few runs need it

        return self.opened.service(Explainer).why(subject)

    def health(self, path: str) -> StageHealth:
        """Since when and from which change the stage with a path has been failing or well, and how
        steady that is, by its recorded runs.

        `str` of it is for people. A step that is unfinished is finished first. Raises
        `UnknownSubject` for a stage that is neither in the pipeline nor recorded.
        """
        from pycurrent.explain.explainer import Explainer  # few runs need it

        return self.opened.service(Explainer).health(path)

    def graph(self, *, unfold: Mapping[str, str] = MappingProxyType({})) -> Graph:
        """The diagram as data. `unfold` maps the keys of folds to the values that are open."""
        return self.opened.graph(unfold=unfold)

    def dot(self, *, unfold: Mapping[str, str] = MappingProxyType({})) -> str:
        """The diagram as Graphviz text."""
        return self.opened.dot(unfold=unfold)

    @property
    def idle(self) -> bool:
        """True if nothing more happens without help from outside.

        Then no step is due, no monitor reads, and no job goes on: those that are left wait for
        confirmation, or in a queue behind such a job. Results that will expire, and watches that
        will be tried again after a failure, don't count; the release of confirmation does.
        """
        return self.opened.idle

    async def settled(self) -> None:
        """Wait until the engine is idle. It need not stay so."""
        await self.opened.settled()

    def state_folder(self, name: str) -> Path:
        """The folder with this name that your code has for itself in the state directory: made if
        it is missing, for its owner only. `pycurrent gc` and `pycurrent backup` leave it alone.

        Raises `UsageError` for a name that can't be, and `StateDirError` if it can't be made.
        """
        return self.opened.state.own_folder(name)

    @property
    def recorded(self) -> bool:
        """True if all that should be on disk is there, as far as is known."""
        return self.opened.recorded

    def listen(self, listener: Callable[[Step], None]) -> Callable[[], None]:
        """Have `listener` told of each step, at its end, from now on, be the engine open or not.
        Call the returned function to stop that.
        """
        return self._listeners.add(listener)

    def observe(
        self, current: Current[T], listener: Callable[[Output[T]], object]
    ) -> Callable[[], None]:
        """Have `listener` told of the output of a current that the pipeline uses: at the end of the
        next step, and then of each step at which it has changed, be the engine open or not. Call
        the returned function to stop that.

        While the pipeline does not use this very current, it is told nothing. An error of the
        listener is one of `problems`, and stops nothing.
        """
        from pycurrent.facade.observing import Observing  # few engines are observed

        observing = Observing(current, listener, self.problems, lambda: self._opened)
        return observing.begin(self._listeners)

    def service(self, kind: Callable[[OpenEngine], T]) -> T:
        """The open engine's one object of this kind, made as `kind(open_engine)` on first use."""
        return self.opened.service(kind)
