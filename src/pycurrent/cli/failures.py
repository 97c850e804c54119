"""`pycurrent failures`: the failures, those with one cause together."""

from __future__ import annotations

import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Literal, TypeAlias

import msgspec
from cyclopts import Parameter

from pycurrent.cli.job_filter import ALL_STAGES, UsedBy
from pycurrent.cli.option import DEFAULT_STATE_DIR
from pycurrent.cli.options import AsJsonOption, DurationOption, LimitOption, StateDirOption
from pycurrent.cli.output import one_line, write_list
from pycurrent.service import Records
from pycurrent.store import FailureFilters, FailureGroup
from pycurrent.view.formatting import local_time, plural

KindOption: TypeAlias = Annotated[
    Literal["real", "infra", "timeout"] | None, Parameter(help="Only failures of this kind.")
]
FingerprintOption: TypeAlias = Annotated[
    str | None,
    Parameter(metavar="DIGITS", help="Only failures with this fingerprint, or its beginning."),
]
SinceOption: TypeAlias = Annotated[
    DurationOption | None, Parameter(help="Only failures of the last 2h, 7d, 4w ...")
]


def failures(
    *,
    kind: KindOption = None,
    fingerprint: FingerprintOption = None,
    since: SinceOption = None,
    used_by: UsedBy = ALL_STAGES,
    limit: LimitOption = 20,
    as_json: AsJsonOption = False,
    state_dir: StateDirOption = DEFAULT_STATE_DIR,
) -> None:
    """List the failures by their causes, the one that came last first: kind, fingerprint, how many,
    since when, the newest job, its message, and the stages that have failed so.

    Failures of one kind with one message are together: numbers, hashes and paths don't count.
    """
    filters: FailureFilters = {}
    if kind is not None:
        filters["kind"] = kind
    if fingerprint is not None:
        filters["fingerprint"] = fingerprint
    if since is not None:
        # Longer ago than there are dates: then all of them count.
        with suppress(OverflowError):
            filters["since"] = datetime.now(UTC) - since
    if used_by.path is not None:
        filters["path"] = used_by.path
    if used_by.label:
        filters["labels"] = used_by.labels()
    with Records.open(state_dir) as records:
        groups = records.failures(filters, limit=limit)
    if as_json:
        text = msgspec.json.format(msgspec.json.encode({"groups": groups})).decode()
        sys.stdout.write(f"{text}\n")
    else:
        lines = [line for group in groups for line in lines_of(group)]
        write_list(lines, nothing_found(bool(filters)))


def nothing_found(filtered: bool) -> str:
    """The words for an empty list of failures."""
    return "no failure matches" if filtered else "nothing has failed"


def lines_of(group: FailureGroup) -> list[str]:
    """Failures with one cause, for people."""
    return [
        f"{group.kind:<7}  {group.fingerprint}  {plural(group.count, 'failure'):>12}"
        f"  {local_time(group.first)} to {local_time(group.last)}  {group.newest}",
        f"    {one_line(group.message)}",
        *([f"    in {one_line(', '.join(group.stages))}"] if group.stages else []),
        *([] if group.muted is None else [f"    {one_line(group.muted)}"]),
    ]
