"""One object with everything that people see of a running engine and do to it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from pycurrent.cache import Inputs, InputState, Triggers, TriggerState
from pycurrent.engine import OpenEngine, Problem
from pycurrent.engine.pins import Pins
from pycurrent.explain.explainer import Explainer
from pycurrent.explain.health import StageHealth
from pycurrent.explain.why import Why
from pycurrent.files import FileStore
from pycurrent.service.archive import Archive
from pycurrent.service.confirmation import ConfirmationLevel
from pycurrent.service.errors import NoSuchJob
from pycurrent.service.events import EventHub
from pycurrent.service.failing import FailingStage, failing_stages
from pycurrent.service.found_stage import FoundStage, found_stage
from pycurrent.service.items import Item, ItemStages, stages_of_item
from pycurrent.service.job_selection import JobSelection, select_jobs
from pycurrent.service.jobs import Jobs
from pycurrent.service.jobs_feed import JobsFeed
from pycurrent.service.kept_files import KeptFiles
from pycurrent.service.latest_files import LatestFile, latest_below, latest_of
from pycurrent.service.logs import Logs
from pycurrent.service.metrics import Metrics, MetricsReading
from pycurrent.service.pipeline import PipelineFeed
from pycurrent.service.pools import Pools
from pycurrent.service.rules import Rules
from pycurrent.service.untrusted_commits import UntrustedCommits
from pycurrent.store import HistoryFilter, LabelFilter, all_pass, matches
from pycurrent.view import EngineView

if TYPE_CHECKING:
    from pycurrent.explain.annotations import JobAnnotations
    from pycurrent.explain.comparison import Comparison
    from pycurrent.service.search import Found


class Health(Enum):
    """The state of an engine as a service, for health checks."""

    STARTING = "starting"
    READY = "ready"
    HELD = "held"
    """It begins nothing new: see `Engine.problems`."""
    CRASHED = "crashed"


class Service:
    """One typed view of an engine that runs in this process, and the commands on it.

    Made at any time while the engine is open: before its first step if the metrics and the events
    are to miss nothing. Belongs to the thread of the event loop.
    """

    def __init__(self, engine: OpenEngine, stages: EngineView | None = None) -> None:
        """`stages` is the view of the engine's stages, if there is one already."""
        self.engine = engine
        self.started = engine.clock.now()
        self.stages = stages or EngineView(engine)
        self.events = EventHub(f"{self.started.astimezone(UTC):%Y%m%dT%H%M%S.%f}Z")
        self.pipeline = PipelineFeed(engine, self.events, stages=self.stages)
        self.jobs = Jobs(engine)
        self.logs = Logs(engine.log, self.jobs.is_active)
        self.archive = Archive(engine.state.path)
        store = FileStore(engine.state.files, engine.state.sharing)
        self.files = KeptFiles(store, self.archive)
        self.rules = Rules(engine, self.archive, self.logs)
        self.inputs = engine.service(Inputs)
        self.triggers = engine.service(Triggers)
        self.pauses = engine.pauses
        self.approvals = engine.approvals
        self.untrusted = UntrustedCommits(engine)
        self.mutes = engine.mutes
        self.pins = engine.service(Pins)
        self.confirmation = ConfirmationLevel(engine, self.jobs, self.events)
        self.metrics = Metrics(engine, lambda: self.events.followers)
        self._comparing = asyncio.Lock()
        """One at a time, as that keeps the interpreter busy."""
        self.pools = Pools(engine, self.metrics)
        self._jobs_feed = JobsFeed(engine, self.events)

    def state_dir(self) -> Path:
        """The state directory of the engine."""
        return self.engine.state.path

    @property
    def health(self) -> Health:
        """The health now. Checks the database, which an engine at rest would not miss."""
        try:
            self.engine.raise_if_crashed()
        except Exception:
            return Health.CRASHED
        self.engine.check_records()
        if self.engine.problems.held:
            return Health.HELD
        return Health.READY if self.engine.steps else Health.STARTING

    async def annotations(self, job_id: str, *, limit: int) -> JobAnnotations:
        """The annotations of a job, the worst ones first: at most `limit`."""
        try:
            markers = await self.logs.markers(job_id)
        except NoSuchJob:
            markers = None
        return await self.archive.annotations(job_id, markers, limit=limit)

    async def search(self, text: str, *, limit: int) -> Found:
        """All that holds a text, in any case; of each kind at most `limit`: see `search`."""
        from pycurrent.service.search import search

        return await search(self.engine, self.archive, text, limit=limit)

    async def compare(self, job_id: str, other: str | None = None) -> Comparison | None:
        """The log of a job beside that of another one, by default that of the last good run before
        it; None if there is none. Raises `NoSuchJob` if one of the logs is not there.
        """
        from pycurrent.explain.comparison import LINES, End, compare

        if other is None:
            other = await self.archive.read(lambda records: records.last_good_before(job_id))
            if other is None:
                return None
        ends = []
        for one in (job_id, other):
            window = await self.logs.window(one, None, LINES)
            is_whole = window.first == 0 and len(window.lines) == window.total
            ends.append(End(window.first + 1, tuple(line.text for line in window.lines), is_whole))
        new, old = ends
        async with self._comparing:
            return await asyncio.to_thread(compare, job_id, new, other, old)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The problems of the engine itself, whatever the pipeline does."""
        return tuple(self.engine.problems)

    @property
    def has_inputs(self) -> bool:
        """True if there is something that people can set, fire or pin."""
        return self.inputs.are_used or self.triggers.are_used or self.pins.are_possible

    def input_of(self, path: str) -> InputState | None:
        """The input that the living stage with a path gives; None if it gives none."""
        stage = self.engine.live.find(path)
        return None if stage is None else self.inputs.of_stage(stage)

    def trigger_of(self, path: str) -> TriggerState | None:
        """The trigger whose firings the living stage with a path gives; None if it gives none."""
        stage = self.engine.live.find(path)
        return None if stage is None else self.triggers.of_stage(stage)

    def measures(self) -> MetricsReading:
        """Figures about the engine now."""
        return self.metrics.read()

    async def why(self, subject: str) -> Why:
        """Why a stage, given by its path, is as it is, or why the job with an id was run.

        Raises `UnknownSubject`.
        """
        await self.engine.between_steps()
        return self.engine.service(Explainer).why(subject)

    async def healths(self, paths: Iterable[str]) -> dict[str, StageHealth]:
        """The health of the stages with these paths, as far as runs of them have ended."""
        explainer = self.engine.service(Explainer)
        retried: dict[str, str | None] = {}
        for path in paths:
            stage = self.engine.live.find(path)
            retried[path] = None if stage is None else explainer.retried(stage)
        return await self.archive.healths(retried)

    async def newest_matching(self, wanted: HistoryFilter, *, limit: int) -> tuple[list[str], bool]:
        """The jobs that pass the filter: of each operation and key, only the newest one.

        Looks at no more than `limit` jobs. Returns True as the second value if these were all.
        """
        page = await self.archive.page(wanted, limit=limit)
        newest: dict[tuple[str, str], str] = {}
        for entry in page.entries:
            newest.setdefault((entry.op, entry.key), entry.job_id)
        return [*newest.values()], page.next is None

    async def select_jobs(self, wanted: JobSelection) -> list[str]:
        """The ids of the jobs that have not ended and pass, the oldest first: see `select_jobs`."""
        return await select_jobs(self.engine, self.archive, wanted)

    def stages_with(
        self, path: str | None = None, labels: Sequence[LabelFilter] = ()
    ) -> Iterator[FoundStage]:
        """The living stages that have this path, or match it as a glob, and pass all conditions on
        labels. Looks at all stages.
        """
        self.engine.finish_step()
        for stage in self.engine.live.stages():
            ref = self.engine.live.ref(stage)
            if path is not None and not matches(str(ref), path):
                continue
            if all_pass(labels, ref.labels):
                yield found_stage(stage, ref)

    async def failing(self, *, limit: int) -> list[FailingStage]:
        """The stages that fail now, those that have begun to last first; at most `limit`."""
        return await failing_stages(self.engine, self.stages, self.archive, limit=limit)

    async def stages_of_item(self, item: Item, *, limit: int) -> ItemStages:
        """The living stages of an item: at most `limit`, those of most concern. Looks at all
        stages, a little at a time.
        """
        return await stages_of_item(self.engine, item, limit=limit)

    def stage(self, path: str) -> FoundStage | None:
        """The living stage with exactly this path; None if there is none."""
        self.engine.finish_step()
        stage = self.engine.live.find(path)
        return None if stage is None else found_stage(stage, self.engine.live.ref(stage))

    def stages_named(self, name: str) -> list[FoundStage]:
        """The living stages with this path, or else those with this label. Looks at all stages."""
        self.engine.finish_step()
        stages = [(stage, self.engine.live.ref(stage)) for stage in self.engine.live.stages()]
        found = [(stage, ref) for stage, ref in stages if str(ref) == name]
        found = found or [(stage, ref) for stage, ref in stages if stage.label == name]
        return [found_stage(stage, ref) for stage, ref in found]

    async def latest_file(
        self, path: str, *, stage: str | None = None, labels: Sequence[LabelFilter] = ()
    ) -> LatestFile:
        """The place at a path among the newest good files of stages: it begins with that of one,
        or else the stages are given by a path or a glob, and by labels. See `latest_below` and
        `latest_of`.
        """
        if stage is None and not labels:
            return await latest_below(self.files, self.archive, path)
        stages = [found.path for found in self.stages_with(stage, labels)]
        if not stages and stage is not None and not labels:
            stages = [stage]  # It may have been there before.
        return await latest_of(self.files, self.archive, stages, path)

    def close(self) -> None:
        """End all streams of events and logs, and stop following the engine. Twice is fine."""
        self.events.close()
        self.logs.close()
        self.pipeline.close()
        self.confirmation.close()
        self._jobs_feed.close()
