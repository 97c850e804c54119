"""The page of a stage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, TypeAlias

from fastapi import FastAPI, Request, Response
from msgspec.structs import replace
from starlette.exceptions import HTTPException

from pycurrent.engine import MuteKind, MuteSubject
from pycurrent.errors import UsageError
from pycurrent.service import (
    Failing,
    FoundStage,
    HistoryEntry,
    Ran,
    RecordedValue,
    Service,
    UnknownSubject,
    Why,
    attempts_of,
    telling_line,
    telling_lines,
)
from pycurrent.store import FailureRecord, UseRecord
from pycurrent.web.context import ServiceOf
from pycurrent.web.pages import routing, state_badges
from pycurrent.web.pages.because import because_of
from pycurrent.web.pages.coverage import trend_of_stage
from pycurrent.web.pages.formatting import places_of
from pycurrent.web.pages.inputs import PIN_FOREVER
from pycurrent.web.pages.lengths import lengths
from pycurrent.web.pages.mutes import MUTE_LONGEST
from pycurrent.web.pages.pages import pages_of
from pycurrent.web.pages.pauses import PAUSE_FOREVER
from pycurrent.web.reasons import asks_for_reason
from pycurrent.web.users import Role

_USES = 20
_VALUES = 50
_Used: TypeAlias = tuple[UseRecord, HistoryEntry]


def add_stage_page(app: FastAPI) -> None:
    # A path may have any names, "." and empty ones too: as a parameter it arrives as it is.
    routing.page(app, "/stage", _stage, Role.VIEWER)


async def _stage(request: Request, service: ServiceOf) -> Response:
    path = request.query_params.get("path", "")
    try:
        why = await service.why(path)
    except UnknownSubject:
        why = None
    if why is None or why.health is None:
        raise HTTPException(404, f"no stage has or had the path {path!r}")
    stage = service.stage(path)
    update = None if stage is None else stage.update
    uses = await service.archive.stage_jobs(path, limit=_USES)
    failure = await failure_of(service, stage)
    pages = pages_of(request)
    because = because_of(why)
    remedy = None if because is None else because.remedy
    return pages.render(
        request,
        "stage.html",
        **_set_by_people(service, path),
        may_set=pages.may(request, Role.BUILDER),
        because=because,
        may_remedy=remedy is not None and pages.may(request, remedy.role),
        asks_why=asks_for_reason(request, None if why.job is None else service.jobs.level(why.job)),
        untrusted=service.untrusted.of_stage(path),
        may_pause=pages.may(request, Role.ADMIN),
        may_approve_commit=pages.may(request, Role.ADMIN),
        path=path,
        stage=stage,
        shown=None if stage is None else state_badges.OF_STATE[stage.state],
        update=None if update is None else state_badges.OF_ACTIVITY[update],
        job=why.job,
        reasons=reasons_of(why),
        health=why.health,
        attempts=attempts_in(why),
        lines=telling_lines(failure),
        line=telling_line(failure),
        health_badge=state_badges.OF_HEALTH[why.health.state],
        labels=_labels(stage, uses),
        coverage=await trend_of_stage(service, path),
        runs=[(use, entry, state_badges.of_entry(entry)) for use, entry in _jobs(uses)],
        place=places_of(path)[:-1],
    )


def _set_by_people(service: Service, path: str) -> dict[str, Any]:
    """All that people set at a stage."""
    return {
        "pin": service.pins.of(path),
        "values": _values(service, path),
        "lengths": lengths(PIN_FOREVER),
        "mute": service.mutes.get(MuteSubject(MuteKind.PATH, path)),
        "mute_lengths": lengths(MUTE_LONGEST),
        "input": service.input_of(path),
        "trigger": service.trigger_of(path),
        "pause": service.pauses.of_path(path),
        "pause_lengths": lengths(PAUSE_FOREVER),
    }


def _values(service: Service, path: str) -> list[RecordedValue]:
    """The values at which the stage can be held; none if it can't be pinned."""
    try:
        return service.pins.values(path, limit=_VALUES)
    except UsageError:
        return []


def reasons_of(why: Why) -> list[str]:
    """The reasons in lines, without what the page shows apart: its failure, and its health."""
    reasons = tuple([reason for reason in why.reasons if not isinstance(reason, Failing)])
    return str(replace(why, reasons=reasons, health=None)).splitlines()[1:]


async def failure_of(service: Service, stage: FoundStage | None) -> FailureRecord | None:
    """Why the job of a stage has failed; None if that is not recorded, or it has not."""
    job = None if stage is None or not stage.state.is_failure else stage.job_id
    return None if job is None else await service.archive.read(lambda known: known.failure(job))


def attempts_in(why: Why) -> int:
    """How often the work of a stage was tried in a row."""
    return max(
        [attempts_of(reason.cause) for reason in why.reasons if isinstance(reason, Ran)] or [1]
    )


def _labels(stage: FoundStage | None, uses: Sequence[_Used]) -> Mapping[str, str]:
    """The labels of a stage; of one that is not needed now, those that it had last."""
    if stage is not None:
        return stage.labels
    return uses[0][0].read_labels() if uses else {}


def _jobs(uses: Iterable[_Used]) -> Iterator[_Used]:
    """The uses, the first one of those in a row that differ only by labels."""
    for _, in_a_row in groupby(uses, key=lambda used: used[0].job_id):
        *_, first = in_a_row
        yield first
