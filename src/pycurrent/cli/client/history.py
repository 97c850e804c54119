"""The jobs that have ended, and a rebuild of all that match."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import Parameter, validators

from pycurrent.cli.client.answers import HistoryPageAnswer, OperationsAnswer, OutcomesAnswer
from pycurrent.cli.client.formatting import entry_line
from pycurrent.cli.client.jobs import ReasonOption, tell
from pycurrent.cli.client.session import Given
from pycurrent.cli.client.status import ClientExit
from pycurrent.cli.ends import EndsOption, ends_of
from pycurrent.errors import UsageError


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Filter:
    """A filter of jobs: those that pass all conditions."""

    op: Annotated[str | None, Parameter(help="Only jobs of this operation.")] = None
    ok: Annotated[bool, Parameter(negative="", help="Only jobs that succeeded.")] = False
    failed: Annotated[bool, Parameter(negative="", help="Only jobs that failed.")] = False
    end: EndsOption = ()
    to_rebuild: Annotated[
        bool, Parameter(negative="", help="Only jobs that somebody has asked to be done again.")
    ] = False
    date: Annotated[
        str | None,
        Parameter(metavar="DATE", help="Only jobs of this day (in UTC): 2026-11-22, or 2026-11."),
    ] = None
    text: Annotated[
        str | None, Parameter(help="Only jobs with this in their key, value or result.")
    ] = None

    def fields(self) -> dict[str, Any]:
        """The parameters for the API. Raises `UsageError` if no job could pass."""
        if self.ok and self.failed:
            raise UsageError("no job has both succeeded and failed: use one of --ok and --failed")
        ends_of(self.end)
        fields = {
            "op": self.op,
            "ok": True if self.ok else False if self.failed else None,
            "end": list(self.end) or None,
            "rebuild": True if self.to_rebuild else None,
            "prefix": self.date,
            "text": self.text,
        }
        return {name: value for name, value in fields.items() if value is not None}


EVERYTHING = Filter()


def query(
    *,
    which: Filter = EVERYTHING,
    limit: Annotated[
        int, Parameter(validator=validators.Number(gte=1, lte=1000), help="How many at most.")
    ] = 20,
    before: Annotated[
        str | None, Parameter(metavar="JOB", help="Only jobs that are older than this one.")
    ] = None,
    session: Given,
) -> int:
    """`pycurrent client query`."""
    remote = session.remote
    answer: HistoryPageAnswer = remote.get("/history", **which.fields(), limit=limit, before=before)
    session.say(answer, [entry_line(entry) for entry in answer["entries"]])
    if answer["next"] is not None:
        session.hint(f"there are more: --before {answer['next']}")
    return ClientExit.OK


def rebuild_all(
    *,
    which: Filter = EVERYTHING,
    everything: Annotated[
        bool, Parameter(negative="", help="Mean all jobs, where no filter is given.")
    ] = False,
    limit: Annotated[
        int, Parameter(validator=validators.Number(gte=1, lte=1000), help="How many at most.")
    ] = 1000,
    reason: ReasonOption = None,
    session: Given,
) -> int:
    """`pycurrent client rebuild-all`."""
    fields = which.fields()
    if bool(fields) is everything:
        raise UsageError(
            "say which jobs are to be rebuilt, such as --failed or --op NAME; or --everything"
        )
    answer: OutcomesAnswer = session.remote.post(
        "/rebuild", {"filter": fields, "limit": limit, "reason": reason}
    )
    status = tell(session, answer, "is rebuilt")
    if not answer["complete"]:
        session.hint(f"more jobs match, and were left alone: these are the newest {limit:,}")
    return status


def ops(*, session: Given) -> int:
    """`pycurrent client ops`."""
    answer: OperationsAnswer = session.remote.get("/ops")
    session.say(answer, answer["ops"])
    return ClientExit.OK
