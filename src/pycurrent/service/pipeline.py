"""The diagram of a running pipeline, and what changes in it.

Diagrams are drawn for those who ask, kept, and shared: one for each window (see `Window`) that
somebody looks through. The changes of steps are put into them, and told, at the pace of
`TOLD_EVERY`, by differences (see `Picture`): the cost is that of the changes, however large the
pipeline is. Windows onto large pipelines close lists, so that drawing costs as much as is seen; the
stages that closed lists hide are counted once.

If the pipeline has another shape than a diagram shows, followers are told: who still looks at it
asks again, and then it is drawn again. Until then its stages are told of; if nobody has asked when
the next change of shape is told, it is forgotten. Large diagrams are drawn in slices, between which
other things happen; only steps wait until the pipeline has been looked through, so that each
diagram is of one step. That takes only a small part of the time, as the next change of shape is
told after a pause that is so much longer than drawing has taken.

While nobody follows, changes are gathered until somebody asks, or there are many; if nobody has
asked for a while, nothing is kept. Very many changes of one step are put in by parts, before the
step counts as done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from time import perf_counter

from pycurrent.cache import ResultCache
from pycurrent.engine import OpenEngine, Step
from pycurrent.service.events import (
    EventHub,
    EventId,
    NodeState,
    OverviewChanged,
    StatesChanged,
    StructureChanged,
)
from pycurrent.service.slices import SLICE, in_slices
from pycurrent.service.throttled import Throttled
from pycurrent.service.window import WHOLE, Window
from pycurrent.term import Stage, Stats, status_of_output
from pycurrent.term.diagram import Graph, GraphNode, Picture, dot_of, picture_of
from pycurrent.view import EngineView

TOLD_EVERY = 0.1
"""Seconds between two batches of states, at least."""
PART_OF_TIME = 0.1
"""How much of the time comparing, and drawing, may take."""
GATHERED = 1000
"""How many changed stages are gathered while nobody follows."""
MUCH = 2000
"""How many changed stages are put into the diagrams at once: that takes some 5 ms."""
KEPT_FOR = 60.0
"""Seconds for which diagrams are kept at least, after somebody has asked for one."""
LARGE = 1000
"""The boxes of a diagram whose edges are chosen in a thread: that takes longer than a slice."""
_TOLD_TWICE = 100
"""How many batches who has read a snapshot may be told of that came before that."""
_DRAWINGS = 8
"""How many drawings are kept: one for each window that somebody looks through."""
FEW = 4000
"""How many boxes are not too many: see `Window.fits`."""


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """The diagram at one time. The same one, until something has changed."""

    graph: Graph
    version: int
    """Changes with the structure."""
    stats: Stats
    last_event: EventId
    """A follower of the events after this one misses nothing that the snapshot lacks."""


class _Drawing:
    """A diagram that is kept."""

    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        self._snapshot: Snapshot | None = None
        self.ids = frozenset(node.id for node in picture.boxes)
        """Of all its boxes."""
        self.is_told = False
        """True once followers were told that it is outdated: they will ask for another one."""

    def snapshot(self, version: int, stats: Stats, last_event: EventId) -> Snapshot:
        """The last one, if that is how things still are, and what was told since is not much."""
        last = self._snapshot
        if (
            last is None
            or (last.version, last.stats) != (version, stats)
            or last_event.number - last.last_event.number > _TOLD_TWICE
        ):
            last = self._snapshot = Snapshot(self.picture.graph(), version, stats, last_event)
        # Later reports are in the diagram, or not about it: hearing them again does no harm.
        return last

    def refresh(self, changed: Collection[Stage], states: dict[str, NodeState]) -> bool:
        """Add the states that differ; True if the diagram has another structure than before."""
        was_outdated = self.picture.is_outdated
        restructured = False
        for change in self.picture.refresh(changed):
            self._snapshot = None
            state = _state_of(change.now)
            if state is not None:
                states[change.now.id] = state
            before, now = change.before, change.now
            restructured |= (before.label, before.labels) != (now.label, now.labels)
        return restructured or self.picture.is_outdated is not was_outdated


class PipelineFeed:
    """Draws the pipeline of an engine, and tells its followers what changes.

    Made at any time while it is open. Belongs to the event loop's thread.
    """

    def __init__(
        self,
        engine: OpenEngine,
        hub: EventHub,
        *,
        stages: EngineView | None = None,
        seconds: float = SLICE,
        few: int = FEW,
        much: int = MUCH,
    ) -> None:
        """`stages` is the view of the engine's stages, if there is one already, `seconds` how long
        it draws without letting other things happen, `few` how many boxes fit (see `Window.fits`),
        and `much` how many changed stages are put into diagrams without that.
        """
        self._stages = stages or EngineView(engine)
        self._few = few
        self._much = much
        self._engine = engine
        self._hub = hub
        self._slice = seconds
        self._drawings: dict[Window, _Drawing] = {}
        self._drawn: dict[Window, asyncio.Task[_Drawing]] = {}
        # The windows that have another structure than was told, and the depths that fit: for
        # which window, chosen when there were so many stages.
        self._restructured: set[Window] = set()
        self._depths: dict[Window, tuple[int | None, int]] = {}
        self._asked = 0.0
        self._changed: dict[Stage, None] = {}
        # The states, and the windows with another structure, that are to be told.
        self._states: dict[str, NodeState] = {}
        self._reshaped: set[Window] = set()
        self._version = 0
        self._told_version = 0
        # How long drawing took since the last change of the structure was told.
        self._took = 0.0
        self._whole: OverviewChanged | None = None
        self._telling = Throttled(self._tell)
        self._restructuring = Throttled(self._tell_structure)
        engine.listen_in_parts(self._stepped)
        self._forget_problems = engine.problems.listen(self._telling.request)
        hub.on_follow(self._followed)

    async def snapshot(self, window: Window = WHOLE) -> Snapshot:
        """The diagram, as far as it is seen through this window."""
        self._asked = asyncio.get_running_loop().time()
        await self._engine.between_steps()
        self._look()
        drawing = self._drawings.get(window)
        if drawing is None or drawing.picture.is_outdated or not drawing.picture.is_wired:
            drawing = await self._draw(window)
            await self._engine.between_steps()
            self._look()
        if drawing.picture.is_outdated:
            # It may have been begun by somebody else, before there was something new to see.
            drawing = await self._draw(window)
            await self._engine.between_steps()
            self._look()
        return drawing.snapshot(self._version, self._engine.stats, self._hub.last)

    async def dot(self, window: Window = WHOLE) -> str:
        """The same as Graphviz text."""
        snapshot = await self.snapshot(window)
        return await asyncio.to_thread(dot_of, snapshot.graph, with_ids=True)

    def shown(self, window: Window) -> Collection[str] | None:
        """The ids of the boxes that are seen through it; None if nobody has asked for long."""
        drawing = self._drawings.get(window)
        return None if drawing is None else drawing.ids

    def close(self) -> None:
        """Nothing is told or drawn any more. Twice is fine."""
        self._forget_problems()
        self._telling.close()
        self._restructuring.close()
        for drawn in list(self._drawn.values()):
            drawn.cancel()

    # Telling what steps have changed

    def _followed(self) -> None:
        # They may have read something older than the last news.
        self._whole = None
        self._telling.request()

    def _stepped(self, step: Step) -> Iterator[None]:
        if self._drawings or self._drawn:
            self._changed.update(dict.fromkeys((*step.changed, *step.released)))
        are_many = len(self._changed) > GATHERED
        if len(self._changed) > self._much:
            yield from self._put_in_parts()
        if self._hub.followers or are_many:
            self._telling.request()

    def _tell(self) -> float:
        if self._engine.is_in_step:
            return 0  # Its end asks for this again, and nothing was told that needs a pause.
        began = perf_counter()
        self._look()
        self._hub.publish(*self._overview())
        loop = asyncio.get_running_loop()
        if self._drawings and not self._hub.followers and loop.time() - self._asked > KEPT_FOR:
            self._drawings.clear()
            self._hub.forget()
        return max(TOLD_EVERY, (perf_counter() - began) / PART_OF_TIME)

    def _put_in_parts(self) -> Iterator[None]:
        changed, self._changed = [*self._changed], {}
        for start in range(0, len(changed), self._much):
            yield
            self._put_in(changed[start : start + self._much])

    def _put_in(self, changed: Collection[Stage]) -> None:
        """Put what has changed into the diagrams."""
        drawings, states = self._drawings.items(), self._states
        self._reshaped.update([w for w, kept in drawings if kept.refresh(changed, states)])

    def _look(self) -> None:
        """Put what has changed into the diagrams, and tell of it."""
        changed, self._changed = self._changed, {}
        self._put_in(changed)
        if self._reshaped:
            self._restructured.update(self._reshaped)
            self._reshaped.clear()
            self._version += 1
            self._restructuring.request()
        states, self._states = self._states, {}
        if states:
            self._hub.publish(StatesChanged(states))

    def _tell_structure(self) -> float:
        if self._told_version != self._version:
            self._told_version = self._version
            told, self._restructured = self._restructured, set()
            outdated = {w: kept for w, kept in self._drawings.items() if kept.picture.is_outdated}
            same = frozenset(self._drawings.keys() - told - outdated.keys())
            for window, kept in outdated.items():
                if kept.is_told:
                    del self._drawings[window]
                kept.is_told = True
            self._hub.publish(StructureChanged(self._version, same))
        took, self._took = self._took, 0.0
        return max(TOLD_EVERY, took / PART_OF_TIME)

    def _overview(self) -> Iterator[OverviewChanged]:
        """The whole, if it is otherwise than it was told last."""
        engine = self._engine
        result = status_of_output(engine.output)
        jobs = engine.service(ResultCache).runs.job_count
        problems = tuple(engine.problems)
        headline = self._stages.headline()
        now = OverviewChanged(result.state, result.failure, engine.stats, jobs, problems, headline)
        if now != self._whole:
            self._whole = now
            yield now

    # Drawing

    async def _draw(self, window: Window) -> _Drawing:
        """Draw the pipeline, once for all who ask meanwhile."""
        drawn = self._drawn.get(window)
        if drawn is None:
            drawn = self._drawn[window] = asyncio.create_task(self._make(window))
            drawn.add_done_callback(lambda _: self._drawn.pop(window))
        # A viewer that goes away must not take it from the others.
        return await asyncio.shield(drawn)

    async def _make(self, window: Window) -> _Drawing:
        began = perf_counter()
        async with self._engine.steps_held():
            picture = await self._fitting(window)
            await in_slices(picture.note(), seconds=self._slice)
            drawing = _Drawing(picture)
        # From now on it is kept up to date: its edges do not change.
        self._drawings.pop(window, None)
        self._drawings[window] = drawing
        if len(self._drawings) > _DRAWINGS:
            del self._drawings[next(iter(self._drawings))]
        if len(drawing.ids) > LARGE:
            await asyncio.to_thread(drawing.picture.wire)
        else:
            drawing.picture.wire()
        self._took += perf_counter() - began
        return drawing

    async def _fitting(self, window: Window) -> Picture:
        """The picture for a window, with the depth that fits, if one is to be found."""
        if not window.fits:
            return await self._picture(window, window.depth)
        # Opening a list must not close others.
        of = replace(window, opened=frozenset())
        depth, stages = self._depths.get(of, (None, -1))
        total = self._engine.stats.total
        if abs(total - stages) <= stages // 4:
            return await self._picture(window, depth)
        depth, picture = await self._deepest(of)
        self._depths[of] = depth, total
        return picture if of == window else await self._picture(window, depth)

    async def _deepest(self, window: Window) -> tuple[int | None, Picture]:
        """The picture with the most lists open that has not too many boxes, and its depth."""
        has_few = self._engine.stats.total <= self._few
        if has_few and (whole := await self._tried(window, None)) is not None:
            return None, whole
        depth, picture = 0, await self._picture(window, 0)
        if not has_few and (whole := await self._opened(picture, window, None)) is not None:
            return None, whole
        while picture.closes_lists:
            deeper = await self._opened(picture, window, depth + 1)
            if deeper is None:
                break
            depth, picture = depth + 1, deeper
        return depth, picture

    async def _opened(self, picture: Picture, window: Window, depth: int | None) -> Picture | None:
        """The picture with the closed lists of this one open; None if there are too many boxes.

        Often the items of the lists alone are too many, and then nothing is drawn to find out.
        """
        if picture.least(window.closing(depth)) > self._few:
            return None
        return await self._tried(window, depth)

    async def _picture(self, window: Window, depth: int | None) -> Picture:
        picture = await self._tried(window, depth, limited=False)
        assert picture is not None
        return picture

    async def _tried(
        self, window: Window, depth: int | None, *, limited: bool = True
    ) -> Picture | None:
        """The picture; `limited`: unless there would be too many boxes."""
        engine = self._engine
        work = picture_of(
            engine.pipeline,
            engine.live,
            unfold=window.unfold,
            closing=window.closing(depth),
            most=self._few if limited else None,
        )
        return await in_slices(work, seconds=self._slice)


def _state_of(node: GraphNode) -> NodeState | None:
    if node.state is None:
        return None
    return NodeState(
        *(node.state, node.update, node.job_id, node.failure, node.failed_inside, node.inside),
        note=node.note,
        hold=node.hold,
    )
