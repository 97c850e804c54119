"""The page of an item: of all stages below a path, or with a value of a label."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from pycurrent.engine.abouts import Abouts
from pycurrent.engine.site_links import stage_url
from pycurrent.service import (
    Below,
    FoundStage,
    HealthState,
    Item,
    ItemStages,
    Labelled,
    Pace,
    Service,
    StageHealth,
    UnknownSubject,
    Why,
    paces_of,
    telling_line,
    telling_lines,
)
from pycurrent.store import SECONDS, ChangeFilters, HistoryFilter, TestCase
from pycurrent.term import BY_CONCERN, StageRef, State
from pycurrent.web.context import ServiceOf
from pycurrent.web.pages import routing, state_badges
from pycurrent.web.pages.formatting import places_of
from pycurrent.web.pages.history import query_of
from pycurrent.web.pages.lengths import lengths
from pycurrent.web.pages.pages import pages_of
from pycurrent.web.pages.pauses import PAUSE_FOREVER
from pycurrent.web.pages.stage import attempts_in, failure_of, reasons_of
from pycurrent.web.pages.state_badges import Badge
from pycurrent.web.pages.tests import tests_of
from pycurrent.web.reasons import asks_for_reason
from pycurrent.web.users import Role

MOST = 1000
"""How many stages are looked at closely, and how many jobs are acted on, at most."""
_SHOWN = 200
"""How many stages stand in rows, at most."""
_EXPLAINED = 25
"""How many stages are explained: each takes some milliseconds."""
_TESTS = 3
"""How many failed tests are named with their stage."""
_REASONS = 2
"""How many reasons say why a stage is as it is."""
_COLUMNS = 8
"""With more kinds of stages than this, they do not stand below each other."""
_JOBS = 10
_PACED = 60
"""Of so many stages it is said how long they took: each takes a millisecond."""
_CHANGES = 5


@dataclass(frozen=True, slots=True)
class Cell:
    """A stage in its row."""

    path: str
    name: str
    badge: Badge
    pace: Pace | None
    """How long its last run took; None if it is not known."""


@dataclass(frozen=True, slots=True)
class Row:
    """The stages with one path around them."""

    around: str
    """Empty at the top of the pipeline."""
    cells: tuple[Cell, ...]

    def cell(self, name: str) -> Cell | None:
        """The stage with this last name."""
        return next((cell for cell in self.cells if cell.name == name), None)


@dataclass(frozen=True, slots=True)
class Concern:
    """A stage that is not ok, and why."""

    stage: FoundStage
    badge: Badge
    why: Sequence[str]
    attempts: int
    """How often its work was tried, if it has failed."""
    lines: Sequence[str]
    """The lines of the log that tell why, if it has failed."""
    line: int | None
    """The number of the first of them in the log."""
    tests: Sequence[TestCase]
    """The first tests that have failed, if its job has reported any."""
    more_tests: int
    """How many more have failed."""
    health: StageHealth | None
    health_badge: Badge | None
    """Not for one that is well."""


def add_items_page(app: FastAPI) -> None:
    routing.page(app, "/items", _item, Role.VIEWER)


def _wanted(query: Mapping[str, str]) -> Item:
    path, label = query.get("path", ""), query.get("label", "")
    if path:
        return Below(path)
    if label:
        return Labelled(label, query.get("value", ""))
    raise HTTPException(404, "the address names no item: it needs ?path= or ?label= and value=")


async def _item(request: Request, service: ServiceOf) -> Response:
    item = _wanted(request.query_params)
    found = await service.stages_of_item(item, limit=MOST)
    selection = item.selection
    wanted = HistoryFilter(path=selection.path, labels=selection.labels)
    past = await service.archive.page(wanted, limit=_JOBS, seconds=SECONDS)
    changes = await service.archive.changes(_changes_of(item), limit=_CHANGES)
    pages = pages_of(request)
    if not found.stages and not past.entries:
        if isinstance(item, Below) and service.stage(item.path) is not None:
            return pages.go(stage_url(item.path))
        raise HTTPException(404, f"no stage is or was {_phrase(item)}")
    labels = _common_labels(found.stages, item)
    paced = [stage.path for stage in found.stages[:_PACED] if stage.job_id]
    paces = await service.archive.read(lambda known: paces_of(known, paced))
    rows = _rows(found.stages[:_SHOWN], paces)
    columns = list(dict.fromkeys(cell.name for row in rows for cell in row.cells))
    may = pages.may(request, Role.BUILDER)
    return pages.render(
        request,
        "items.html",
        **_named(item),
        total=found.counts.total,
        shown=_worst(found),
        counts=_counts(found),
        labels=labels,
        rows=rows,
        most=_SHOWN,
        columns=columns if len(columns) <= _COLUMNS else [],
        concerns=await _concerns(service, found),
        not_ok=found.counts.total - found.counts.ok,
        query=query_of(wanted),
        failed=_failed_jobs(found.stages) if may else [],
        active=(await service.select_jobs(selection))[:MOST] if may else [],
        changes=changes,
        runs=[(entry, state_badges.of_entry(entry)) for entry in past.entries],
        about=await service.engine.service(Abouts).of(_all_labels(labels, item)),
        pause=service.pauses.of_path(item.path) if isinstance(item, Below) else None,
        pause_lengths=lengths(PAUSE_FOREVER),
        may_pause=isinstance(item, Below) and pages.may(request, Role.ADMIN),
        asks_why=asks_for_reason(request, None),
    )


def _named(item: Item) -> dict[str, Any]:
    """The names of an item on its page."""
    if isinstance(item, Below):
        return {
            "below": item.path,
            "title": item.path,
            "place": places_of(item.path)[:-1],
            "text": StageRef.names_in(item.path)[-1],
        }
    title = f"{item.name}={item.value}"
    return {"below": "", "title": title, "place": [], "text": item.value}


def _changes_of(item: Item) -> ChangeFilters:
    """The filter for the changes from which its jobs follow."""
    selection = item.selection
    filters: ChangeFilters = {"labels": selection.labels}
    if selection.path is not None:
        filters["path"] = selection.path
    return filters


def _phrase(item: Item) -> str:
    match item:
        case Below(path):
            return f"below {path!r}"
        case Labelled(name, value):
            return f"labelled {name}={value}"


def _worst(found: ItemStages) -> Badge | None:
    """The state of most concern, of all that are not ok; None for no stages."""
    states = [state for state in BY_CONCERN if found.counts.of(state)]
    return state_badges.OF_STATE[states[0]] if states else None


def _counts(found: ItemStages) -> list[tuple[int, Badge]]:
    shown = [(found.counts.of(state), badge) for state, badge in state_badges.OF_STATE.items()]
    return [(count, badge) for count, badge in shown if count]


def _common_labels(stages: Sequence[FoundStage], item: Item) -> dict[str, str]:
    """The labels that all of the stages have, besides that of the item."""
    if not stages:
        return {}
    common = set(stages[0].labels.items())
    for stage in stages[1:]:
        common.intersection_update(stage.labels.items())
    if isinstance(item, Labelled):
        common.discard((item.name, item.value))
    return dict(sorted(common))


def _all_labels(common: Mapping[str, str], item: Item) -> dict[str, str]:
    return {**common, item.name: item.value} if isinstance(item, Labelled) else {**common}


def _rows(stages: Iterable[FoundStage], paces: Mapping[str, Pace]) -> list[Row]:
    rows: dict[str, list[Cell]] = {}
    for stage in stages:
        *around, name = StageRef.names_in(stage.path)
        cell = Cell(stage.path, name, state_badges.OF_STATE[stage.state], paces.get(stage.path))
        rows.setdefault(StageRef.text_of(tuple(around)), []).append(cell)
    return [Row(around, tuple(cells)) for around, cells in rows.items()]


def _failed_jobs(stages: Iterable[FoundStage]) -> list[str]:
    """The jobs of the stages that have failed."""
    jobs = [stage.job_id for stage in stages if stage.state.is_failure and stage.job_id is not None]
    return list(dict.fromkeys(jobs))


async def _concerns(service: Service, found: ItemStages) -> list[Concern]:
    """The stages that are not ok, those of most concern first, as far as they are explained."""
    stages = [stage for stage in found.stages if stage.state is not State.OK]
    stages.sort(key=lambda stage: BY_CONCERN.index(stage.state))
    concerns = []
    for stage in stages[:_EXPLAINED]:
        concerns.append(await _concern(service, stage))
        await asyncio.sleep(0)  # Others get a turn.
    return concerns


def _briefly(why: Why) -> list[str]:
    """The reasons, without what is behind them."""
    lines = [line for line in reasons_of(why) if not line.startswith("    ")]
    return [line for line in lines if not line.endswith(":")][:_REASONS]


async def _concern(service: Service, stage: FoundStage) -> Concern:
    try:
        why = await service.why(stage.path)
    except UnknownSubject:
        why = None  # It has gone meanwhile.
    failure = await failure_of(service, stage)
    job_id = stage.job_id if stage.state is State.FAILED else None
    reported = None if job_id is None else await tests_of(service, job_id)
    tests = [] if reported is None else reported.cases[:_TESTS]
    health = None if why is None else why.health
    is_told = health is not None and health.state not in {HealthState.WELL, HealthState.UNKNOWN}
    return Concern(
        stage,
        state_badges.OF_STATE[stage.state],
        [] if why is None else _briefly(why),
        1 if why is None else attempts_in(why),
        telling_lines(failure),
        telling_line(failure),
        tests,
        0 if reported is None else reported.counts.bad - len(tests),
        health,
        state_badges.OF_HEALTH[health.state] if health is not None and is_told else None,
    )
