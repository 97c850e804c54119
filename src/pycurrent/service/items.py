"""Items: what a list runs over, and the values of labels; each stands for many stages.

A branch is an item, and so are a pull request, a commit, a service: the stages *below* its path, or
those with its label.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import TypeAlias

from msgspec import Struct

from pycurrent.engine import OpenEngine
from pycurrent.service.found_stage import FoundStage, found_stage
from pycurrent.service.job_selection import JobSelection
from pycurrent.service.slices import in_slices
from pycurrent.store import LabelFilter
from pycurrent.term import BY_CONCERN, Stage, StageRef, Stats

_AT_ONCE = 50
"""How many stages are looked at between two stops: that takes half a millisecond at most."""
_SPECIAL = re.compile(r"[*?\[]|\s")


class Below(Struct, frozen=True):
    """The stages below a path: an item of a list, or what was built in a named bind."""

    path: str

    def has(self, ref: StageRef) -> bool:
        """True if the stage belongs to it."""
        names = tuple(StageRef.names_in(self.path))
        return len(ref.path) > len(names) and ref.path[: len(names)] == names

    @property
    def selection(self) -> JobSelection:
        """Selects its jobs."""
        return JobSelection(f"{_literal(self.path)}/*")


class Labelled(Struct, frozen=True):
    """The stages with a value of a label."""

    name: str
    value: str

    def has(self, ref: StageRef) -> bool:
        """True if the stage belongs to it."""
        return ref.labels.get(self.name) == self.value

    @property
    def selection(self) -> JobSelection:
        """Selects its jobs."""
        return JobSelection(labels=(LabelFilter(self.name, _literal(self.value)),))


Item: TypeAlias = Below | Labelled


class ItemStages(Struct, frozen=True):
    """The stages of an item, as they are after one step."""

    stages: tuple[FoundStage, ...]
    """In the order of the pipeline. If there are too many, those of most concern."""
    counts: Stats
    """Of all."""


async def stages_of_item(engine: OpenEngine, item: Item, *, limit: int) -> ItemStages:
    """The living stages of an item, at most `limit`."""
    async with engine.steps_held():
        return await in_slices(_look_through(engine, item, limit))


def _look_through(engine: OpenEngine, item: Item, limit: int) -> Generator[None, None, ItemStages]:
    yield from engine.live.take_in_paths()
    found: dict[object, list[tuple[int, Stage, StageRef]]] = {state: [] for state in BY_CONCERN}
    counts = dict.fromkeys(BY_CONCERN, 0)
    for number, stage in enumerate(engine.live.stages(), 1):
        ref = engine.live.ref(stage)
        if item.has(ref):
            counts[stage.state] += 1
            if counts[stage.state] <= limit:
                found[stage.state].append((number, stage, ref))
        if number % _AT_ONCE == 0:
            yield
    worst = [one for state in BY_CONCERN for one in found[state]][:limit]
    worst.sort(key=lambda one: one[0])
    return ItemStages(
        tuple([found_stage(stage, ref) for _, stage, ref in worst]),
        Stats(**{state.name.lower(): count for state, count in counts.items()}),
    )


def _literal(text: str) -> str:
    """A glob that only this text matches, without spaces: conditions on labels are told apart by
    them in forms. Any letter may be in the place of a space.
    """
    return _SPECIAL.sub(lambda sign: "?" if sign[0].isspace() else f"[{sign[0]}]", text)
