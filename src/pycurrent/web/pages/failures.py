"""The page of the failures: those with one cause together, with one button for all of them; or
what fails now, by item or kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from pycurrent.service import (
    FailingStage,
    HealthState,
    Records,
    Service,
    StageHealth,
    telling_line,
    telling_lines,
)
from pycurrent.store import FailureFilters, FailureGroup, LabelFilter
from pycurrent.web.context import AskerOf, ServiceOf
from pycurrent.web.forms import read_form
from pycurrent.web.pages import routing, state_badges
from pycurrent.web.pages.formatting import own_path, plain
from pycurrent.web.pages.history import MOST_REBUILT, rebuilt_note
from pycurrent.web.pages.lengths import lengths
from pycurrent.web.pages.mutes import MUTE_LONGEST
from pycurrent.web.pages.pages import pages_of
from pycurrent.web.pages.state_badges import Badge
from pycurrent.web.pages.whose import Person, person_of
from pycurrent.web.reasons import asks_for_reason, reason_for
from pycurrent.web.users import Role

MOST_GROUPS = 50
MOST_FAILING = 300
"""How many stages that fail now are looked at."""
_SHOWN = 50
"""How many of them are shown: each takes half a millisecond."""
_COUNTED = 1000
"""Of a group of more failures than this it is not said how many would be rebuilt."""

_KINDS = ("real", "infra", "timeout")
_TIMES = MappingProxyType(
    {
        "1h": ("hour", timedelta(hours=1)),
        "1d": ("day", timedelta(days=1)),
        "7d": ("7 days", timedelta(days=7)),
        "30d": ("30 days", timedelta(days=30)),
    }
)
"""The times that the page offers, by what the address calls them."""
_FIELDS = ("kind", "fingerprint", "path", "label")
_BY = MappingProxyType(
    {"": "cause, also past", "item": "item, failing now", "kind": "kind, failing now"}
)
"""The ways to group, by what the address calls them."""


@dataclass(frozen=True, slots=True)
class Now:
    """A stage that fails now, as the page shows it."""

    failing: FailingStage
    badge: Badge
    health: StageHealth | None
    alike: int
    """How many of all that fail now have its fingerprint; itself included."""


@dataclass(frozen=True, slots=True)
class Cause:
    """The failures with one kind and one fingerprint."""

    group: FailureGroup
    lines: Sequence[str]
    line: int | None
    """The number of the first of them in the log."""
    rebuilt: int | None
    """How many jobs would be rebuilt; None if it was not counted."""
    now: Sequence[Now]
    """The stages that fail so now."""
    rule: str
    """The address of a form for a rule that finds such failures."""

    @property
    def behind(self) -> int:
        """How many stages are blocked by those that fail so now."""
        return sum(one.failing.behind for one in self.now)


def add_failures_pages(app: FastAPI) -> None:
    routing.page(app, "/failures", _failures, Role.VIEWER)
    routing.action(app, "/failures/rebuild", _rebuild, Role.BUILDER)


def filters_of(query: Mapping[str, str]) -> FailureFilters:
    """The filters in an address or a form, but for the time. Other fields are ignored.

    Raises `UsageError` for a label that is not a condition.
    """
    filters: FailureFilters = {}
    if (kind := query.get("kind", "")) in _KINDS:
        filters["kind"] = kind
    fingerprint = query.get("fingerprint", "")
    if fingerprint and set(fingerprint) <= set("0123456789abcdef"):
        filters["fingerprint"] = fingerprint
    if path := query.get("path", "").strip():
        filters["path"] = path
    if labels := query.get("label", "").split():
        filters["labels"] = tuple([LabelFilter.parse(label) for label in labels])
    return filters


def fields_of(filters: FailureFilters) -> dict[str, str]:
    """The fields of a form for the filters, but for the time."""
    fields = {
        "kind": filters.get("kind", ""),
        "fingerprint": filters.get("fingerprint", ""),
        "path": filters.get("path", ""),
        "label": " ".join(map(str, filters.get("labels", ()))),
    }
    return {name: value for name, value in fields.items() if value}


async def _failures(request: Request, service: ServiceOf) -> Response:
    filters = filters_of(request.query_params)
    fields = fields_of(filters)
    since, by = request.query_params.get("since", ""), request.query_params.get("by", "")
    if since in _TIMES:
        filters["since"] = service.engine.clock.now() - _TIMES[since][1]
    person = person_of(request)
    # The records of past failures do not say whose they are.
    by = "item" if person is not None and not by else by if by in _BY else ""
    now = _now(await service.failing(limit=MOST_FAILING))
    passing = [one for one in now if one.failing.passes(filters)] if by else []
    if person is not None:
        passing = await _theirs(service, person, passing)
    pages = pages_of(request)
    return pages.render(
        request,
        "failures.html",
        wanted=bool(filters) or person is not None,
        fields=fields,
        whose=person,
        by=by,
        ways=_BY,
        kinds=_KINDS,
        times=[(name, word, name == since) for name, (word, _) in _TIMES.items()],
        causes=[] if by else await _causes(service, filters, now),
        groups=_grouped(passing[:_SHOWN], by),
        most=MOST_GROUPS,
        failing=service.engine.stats.failed,
        is_whole=len(passing) <= _SHOWN and len(now) < MOST_FAILING,
        mute_lengths=lengths(MUTE_LONGEST),
        may_rebuild=pages.may(request, Role.BUILDER),
        may_rule=pages.may(request, Role.ADMIN),
        asks_why=asks_for_reason(request, None),
    )


async def _theirs(service: Service, person: Person, now: Iterable[Now]) -> list[Now]:
    """The stages that fail because of a change of theirs, and those that they wrote or approved."""
    approved = await service.archive.read(person.approved)
    return [
        one
        for one in now
        if person.wrote(one.failing.stage.labels)
        or one.failing.stage.job_id in approved
        or (one.health is not None and person.made(one.health.changes))
    ]


def _now(stages: Sequence[FailingStage]) -> list[Now]:
    alike: dict[str | None, int] = {}
    for failing in stages:
        alike[failing.fingerprint] = alike.get(failing.fingerprint, 0) + 1
    return [
        Now(
            failing,
            state_badges.OF_HEALTH[_health_state(failing)],
            failing.health,
            1 if failing.fingerprint is None else alike[failing.fingerprint],
        )
        for failing in stages
    ]


def _health_state(failing: FailingStage) -> HealthState:
    return HealthState.UNKNOWN if failing.health is None else failing.health.state


def _grouped(now: Iterable[Now], by: str) -> dict[str, list[Now]]:
    """The stages by their items or kinds, the largest group first."""
    groups: dict[str, list[Now]] = {}
    for one in now:
        around = one.failing.stage.path.rpartition("/")[0]
        groups.setdefault(around if by == "item" else one.failing.kind, []).append(one)
    return dict(sorted(groups.items(), key=lambda group: -len(group[1])))


async def _causes(service: Service, filters: FailureFilters, now: Iterable[Now]) -> list[Cause]:
    groups = await service.archive.failures(filters, limit=MOST_GROUPS)
    failing: dict[tuple[str, str | None], list[Now]] = {}
    for one in now:
        failing.setdefault((one.failing.kind, one.failing.fingerprint), []).append(one)
    # The counts are of what the button rebuilds: of the same item, if one was asked for.
    places: FailureFilters = {}
    if "path" in filters:
        places["path"] = filters["path"]
    if "labels" in filters:
        places["labels"] = filters["labels"]

    def read(records: Records) -> list[Cause]:
        return [
            _cause(records, group, places, failing.get((group.kind, group.fingerprint), []))
            for group in groups
        ]

    return await service.archive.read(read)


def _cause(
    records: Records, group: FailureGroup, places: FailureFilters, now: Sequence[Now]
) -> Cause:
    failure = records.failure(group.newest)
    lines = telling_lines(failure)
    rebuilt = None
    if group.count <= _COUNTED:
        filters: FailureFilters = {
            **places,
            "kind": group.kind,
            "fingerprint": group.fingerprint,
        }
        rebuilt = len(records.standing_failures(filters, limit=_COUNTED))
    line = plain(lines[0] if lines else group.message.partition("\n")[0]).strip()
    rule = urlencode({"pattern": _pattern(line), "report": line[:200]})
    return Cause(group, lines, telling_line(failure), rebuilt, now, f"/rules?{rule}#edit")


def _pattern(line: str) -> str:
    """A regular expression for a line, whatever its numbers are."""
    escaped = re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", line[:200])
    return re.sub(r"\d+", r"\\d+", escaped)


async def _rebuild(request: Request, service: ServiceOf, asker: AskerOf) -> Response:
    form = await read_form(request)
    filters = filters_of({name: form.text(name) for name in _FIELDS})
    if not filters:
        raise HTTPException(400, "it was not said which failures are meant")
    ids = await service.archive.standing_failures(filters, limit=MOST_REBUILT)
    reason = reason_for(request, ids, form.get("reason"))
    outcomes = await service.jobs.rebuild_many(ids, by=asker, reason=reason)
    place = own_path(form.get("back"), otherwise="/failures")
    return pages_of(request).go(place, rebuilt_note(outcomes))
