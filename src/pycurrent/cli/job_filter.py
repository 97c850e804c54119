"""The options that select recorded jobs: of `pycurrent history`, and of commands of the client."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from cyclopts import Parameter

from pycurrent.cache import CAUSES
from pycurrent.cli.options import DurationOption, reading
from pycurrent.cli.values import point_in_time
from pycurrent.errors import UsageError
from pycurrent.store import HistoryFilter, JobEnd, LabelFilter
from pycurrent.term import FailureKind

_ENDS: dict[str, JobEnd | None] = {
    **{end.value.replace(" ", "-"): end for end in JobEnd},
    "not-ended": None,
}
_KINDS = [kind.value for kind in FailureKind]
_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")

InstantOption = Annotated[
    datetime | None,
    Parameter(metavar="TIME", converter=reading(point_in_time), n_tokens=1),
]
LabelsOption = Annotated[
    tuple[str, ...],
    Parameter(
        name="--label",
        metavar="NAME=VALUE",
        negative="",
        help="Only those with this label, such as repo=web, or without it: repo!=web. VALUE may"
        " be a glob. Can be given several times: then all hold.",
    ),
]
PathOption = Annotated[
    str | None,
    Parameter(
        name="--path",
        help="Only those of the stage with this path, or of all that match a glob: web/*.",
    ),
]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class UsedBy:
    """Selects jobs by a stage that has used them."""

    path: PathOption = None
    label: LabelsOption = ()

    def labels(self) -> tuple[LabelFilter, ...]:
        """The conditions on labels. Raises `UsageError` for a text that is not one."""
        return tuple([LabelFilter.parse(label) for label in self.label])

    def fields(self) -> dict[str, Any]:
        """The parameters for the API, those that were given. Raises `UsageError` likewise."""
        self.labels()
        fields = {"path": self.path, "label": list(self.label) or None}
        return {name: value for name, value in fields.items() if value is not None}


ALL_STAGES = UsedBy()


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class JobFilter:
    """Selects the recorded jobs that pass all conditions."""

    op: Annotated[str | None, Parameter(help="Only jobs of this operation.")] = None
    ok: Annotated[bool, Parameter(negative="", help="Only jobs that succeeded.")] = False
    failed: Annotated[bool, Parameter(negative="", help="Only jobs that failed.")] = False
    end: Annotated[
        tuple[str, ...],
        Parameter(
            metavar="END",
            negative="",
            help=f"Only jobs that ended in this way: {', '.join(_ENDS)}. Can be given several"
            " times.",
        ),
    ] = ()
    to_rebuild: Annotated[
        bool, Parameter(negative="", help="Only jobs that somebody has asked to be done again.")
    ] = False
    date: Annotated[
        str | None,
        Parameter(
            metavar="DATE",
            help="Only jobs that ended on this day (in UTC): 2026-11-22, or in 2026-11, or 2026.",
        ),
    ] = None
    since: Annotated[
        InstantOption, Parameter(help="Only jobs that ended after 2026-11-22T08:47, or 2h ago.")
    ] = None
    until: Annotated[InstantOption, Parameter(help="Only jobs that ended before.")] = None
    longer: Annotated[
        DurationOption | None, Parameter(help="Only jobs that ran for more than 10m, 1h30m ...")
    ] = None
    place: Annotated[
        str | None, Parameter(help="Only jobs that ran at this place: the name of a host, say.")
    ] = None
    pool: Annotated[
        str | None,
        Parameter(help="Only jobs of this pool that have run commands, or had a place."),
    ] = None
    path: PathOption = None
    label: LabelsOption = ()
    kind: Annotated[
        str | None, Parameter(help=f"Only failures of this kind: {', '.join(_KINDS)}.")
    ] = None
    cause: Annotated[
        str | None, Parameter(help=f"Only jobs that were run for this: {', '.join(CAUSES)}.")
    ] = None
    who: Annotated[str | None, Parameter(help="Only jobs that this user or token asked for.")] = (
        None
    )
    text: Annotated[
        str | None, Parameter(help="Only jobs with this in their key, value or result.")
    ] = None

    def filter(self) -> HistoryFilter:
        """Make the filter of the records. Raises `UsageError` if no job could pass."""
        since, until = self._times()
        return HistoryFilter(
            op=self.op,
            ok=self._ok(),
            ends=frozenset([_ENDS[_one_of("--end", name, _ENDS)] for name in self.end]),
            rebuild=True if self.to_rebuild else None,
            text=self.text,
            path=self.path,
            labels=tuple([LabelFilter.parse(label) for label in self.label]),
            kind=None if self.kind is None else _one_of("--kind", self.kind, _KINDS),
            cause=None
            if self.cause is None
            else CAUSES[_one_of("--cause", self.cause, CAUSES)].__name__,
            by=self.who,
            since=since,
            until=until,
            longer=self.longer,
            place=self.place,
            pool=self.pool,
        )

    def fields(self) -> dict[str, Any]:
        """The parameters for the API, those that were given. Raises `UsageError` likewise."""
        self.filter()
        since, until = self._times()
        fields = {
            "op": self.op,
            "ok": self._ok(),
            "end": list(self.end) or None,
            "rebuild": True if self.to_rebuild else None,
            "text": self.text,
            "path": self.path,
            "label": list(self.label) or None,
            "kind": self.kind,
            "cause": self.cause,
            "who": self.who,
            "since": None if since is None else _rfc_3339(since),
            "until": None if until is None else _rfc_3339(until),
            "longer": None if self.longer is None else self.longer.total_seconds(),
            "place": self.place,
            "pool": self.pool,
        }
        return {name: value for name, value in fields.items() if value is not None}

    def _ok(self) -> bool | None:
        if self.ok and self.failed:
            raise UsageError("no job has both succeeded and failed: use one of --ok and --failed")
        return True if self.ok else False if self.failed else None

    def _times(self) -> tuple[datetime | None, datetime | None]:
        if self.date is None:
            return self.since, self.until
        if self.since is not None or self.until is not None:
            raise UsageError("--date names a day or a month: leave out --since and --until")
        return _span(self.date)


def _one_of(option: str, name: str, names: Any) -> str:
    if name not in names:
        raise UsageError(f"{option} takes one of {', '.join(names)}; not {name!r}")
    return name


def _span(date: str) -> tuple[datetime, datetime]:
    """The first instant of a day, a month or a year, and the first one after it."""
    match = _DATE.fullmatch(date)
    try:
        if match is None:
            raise ValueError
        year, month, day = match.groups()
        first = datetime(int(year), int(month or 1), int(day or 1), tzinfo=UTC)
        if day is not None:
            return first, first + timedelta(days=1)
        if month is not None:
            return first, (first + timedelta(days=31)).replace(day=1)
        return first, first.replace(year=first.year + 1)
    except (ValueError, OverflowError):
        raise UsageError(
            f"--date takes a day, a month or a year (2026-11-22, 2026-11, 2026); not {date!r}"
        ) from None


def _rfc_3339(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
