"""The jobs that have ended, and a rebuild of all that match."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter, validators

from pycurrent.cli.client.answers import HistoryPageAnswer, OperationsAnswer
from pycurrent.cli.client.formatting import entry_line
from pycurrent.cli.client.jobs import DryRunOption, ReasonOption, tell
from pycurrent.cli.client.session import Given
from pycurrent.cli.client.status import ClientExit
from pycurrent.cli.job_filter import JobFilter
from pycurrent.errors import UsageError

EVERYTHING = JobFilter()


def query(
    *,
    which: JobFilter = EVERYTHING,
    limit: Annotated[
        int, Parameter(validator=validators.Number(gte=1, lte=1000), help="How many at most.")
    ] = 20,
    before: Annotated[
        str | None,
        Parameter(metavar="PLACE", help="Go on behind this place, which the last page ended with."),
    ] = None,
    session: Given,
) -> int:
    """`pycurrent client query`."""
    remote = session.remote
    fields = which.fields()
    answer: HistoryPageAnswer = remote.get("/history", **fields, limit=limit, before=before)
    # A search stops when it has taken long: it goes on by the place that it reached.
    while not answer["complete"] and len(answer["entries"]) < limit:
        left = limit - len(answer["entries"])
        more: HistoryPageAnswer = remote.get(
            "/history", **fields, limit=left, before=answer["next"]
        )
        answer = {**more, "entries": answer["entries"] + more["entries"]}
    nothing = "no job matches" if fields else "no job has ended"
    session.list(answer, [entry_line(entry) for entry in answer["entries"]], nothing)
    if answer["next"] is not None:
        session.hint(f"there are more: --before {answer['next']}")
    return ClientExit.OK


def rebuild_all(
    *,
    which: JobFilter = EVERYTHING,
    everything: Annotated[
        bool, Parameter(negative="", help="Mean all jobs, where no filter is given.")
    ] = False,
    limit: Annotated[
        int, Parameter(validator=validators.Number(gte=1, lte=1000), help="How many at most.")
    ] = 1000,
    dry_run: DryRunOption = False,
    reason: ReasonOption = None,
    session: Given,
) -> int:
    """`pycurrent client rebuild-all`."""
    fields = which.fields()
    if bool(fields) is everything:
        raise UsageError(
            "say which jobs are to be rebuilt, such as --failed or --op NAME; or --everything"
        )
    asked = {"filter": fields, "limit": limit, "dry_run": dry_run, "reason": reason}
    return tell(session, session.remote.post("/rebuild", asked), "is rebuilt")


def ops(*, session: Given) -> int:
    """`pycurrent client ops`."""
    answer: OperationsAnswer = session.remote.get("/ops")
    session.list(answer, answer["ops"], "no operation has results")
    return ClientExit.OK
