"""`pycurrent audit`: who has asked for what, and whether that list is whole."""

from __future__ import annotations

import getpass
import json
import sys
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

from cyclopts import Parameter
from msgspec.structs import asdict

from pycurrent.cli.option import DEFAULT_STATE_DIR
from pycurrent.cli.options import DurationOption, LimitOption, StateDirOption
from pycurrent.cli.output import one_line, write_list
from pycurrent.errors import UsageError
from pycurrent.service import Records
from pycurrent.store import AccessDatabase, AuditFilters, AuditRecord
from pycurrent.view.formatting import local_time, plural

_BROKEN = 1
"""The exit status if the audit was tampered with."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class _Filter:
    """Selects the acts to which all of these apply."""

    who: Annotated[str | None, Parameter(help="Only what this user or token asked for.")] = None
    what: Annotated[
        str | None, Parameter(help="Only these acts: cancel, approve, rebuild, `set level` ...")
    ] = None
    subject: Annotated[
        str | None, Parameter(help="Only what was done to this job, rule, user or token.")
    ] = None
    since: Annotated[
        DurationOption | None, Parameter(help="Only acts of the last 2h, 7d, 4w ...")
    ] = None

    def filters(self, limit: int) -> AuditFilters:
        """The filters that were given, and at most how many acts."""
        filters: AuditFilters = {"limit": limit}
        if self.who is not None:
            filters["who"] = self.who
        if self.what is not None:
            filters["what"] = self.what
        if self.subject is not None:
            filters["subject"] = self.subject
        if self.since is not None:
            # Longer ago than there are dates: then all of them count.
            with suppress(OverflowError):
                filters["since"] = datetime.now(UTC) - self.since
        return filters


_EVERYTHING = _Filter()


def audit(
    act: Annotated[
        Literal["verify"] | None,
        Parameter(help="`verify`: check that no row was changed, put in or removed."),
    ] = None,
    /,
    *,
    which: _Filter = _EVERYTHING,
    limit: LimitOption = 50,
    as_json: Annotated[
        bool, Parameter(name="--json", negative="", help="Print one JSON object a line.")
    ] = False,
    head: Annotated[
        str | None,
        Parameter(help="With `verify`: a hash that it printed earlier, which must still be there."),
    ] = None,
    state_dir: StateDirOption = DEFAULT_STATE_DIR,
) -> int:
    """List what people and programs have asked for, the newest first: date, who, what, why.

    Acts that were refused are listed, too. With `verify`, follow the chain of hashes through the
    whole list, and print the last one: keep it elsewhere, and give it as `--head` later, to see
    that no rows were cut off since. Exits with 1 if the list was tampered with.
    """
    with Records.open(state_dir) as records:
        if act == "verify":
            return _verify(records, head)
        if head is not None:
            raise UsageError("--head is for `pycurrent audit verify`")
        rows = records.audit(**which.filters(limit))
    if as_json:
        sys.stdout.write("".join([f"{_json_of(row)}\n" for row in rows]))
    else:
        nothing = "nobody has asked for anything" if which == _EVERYTHING else "no act matches"
        write_list([line_of(row) for row in rows], nothing)
    return 0


def _verify(records: Records, head: str | None) -> int:
    chain = records.check_audit(kept=head)
    if chain.broken_at is not None:
        sys.stdout.write(
            f"broken: row {chain.broken_at} was changed, put in or removed; the"
            f" {plural(chain.rows, 'row')} before it fit\n"
        )
        return _BROKEN
    if head is not None and not chain.has_kept:
        sys.stdout.write(f"broken: no row has the hash {head}: rows were cut off, or all are new\n")
        return _BROKEN
    newest = f"; the last hash is {chain.head}" if chain.rows else ""
    sys.stdout.write(f"whole: {plural(chain.rows, 'row')}{newest}\n")
    return 0


def line_of(row: AuditRecord) -> str:
    """An act in a line."""
    role = "" if row.role is None else f" ({row.role})"
    change = " → ".join(one_line(text) for text in (row.before, row.after) if text is not None)
    parts = [
        f"{local_time(row.at)}  {one_line(row.who)}{role} by {row.via}: {row.what}"
        f" {one_line(row.subject)}",
        f" ({change})" if change else "",
        f": {one_line(row.reason)}" if row.reason is not None else "",
        f"; refused: {one_line(row.refused)}" if row.refused is not None else "",
    ]
    return "".join(parts)


def _json_of(row: AuditRecord) -> str:
    return json.dumps({**asdict(row), "at": row.at.isoformat()})


def note_here(
    database: AccessDatabase,
    what: str,
    subject: str,
    *,
    before: str | None = None,
    after: str | None = None,
) -> None:
    """Add an act of the user of this command line."""
    try:
        who = getpass.getuser()
    except (KeyError, OSError):  # no such user on this machine
        who = "somebody"
    database.add_audit(
        AuditRecord(
            at=datetime.now(UTC),
            who=who,
            role=None,
            via="command line",
            what=what,
            subject=subject,
            before=before,
            after=after,
        )
    )
