"""The verdict on a commit, by the output of a current."""

from __future__ import annotations

from typing import Any, assert_never

from pycurrent.plugins.forge.values import Status, Verdict
from pycurrent.term import Active, Activity, Failed, FailureKind, Ok, Output

_VERDICTS = {
    FailureKind.REAL: Verdict.FAILURE,
    FailureKind.TIMEOUT: Verdict.FAILURE,
    FailureKind.INFRA: Verdict.ERROR,
    FailureKind.CANCELLED: Verdict.CANCELLED,
}


def status_of(context: str, url: str | None, output: Output[Any]) -> Status:
    """The status that a commit gets under a name for this output."""
    match output:
        case Ok():
            return Status(context, Verdict.SUCCESS, "ok", url)
        case Failed(message):
            first = next((line for line in message.splitlines() if line.strip()), "failed")
            return Status(context, _VERDICTS[output.kind], first, url)
        case Active(Activity.RUNNING):
            return Status(context, Verdict.RUNNING, "running", url)
        case Active(Activity.WAITING_FOR_CONFIRMATION):
            return Status(context, Verdict.PENDING, "waits for confirmation", url)
        case Active():
            return Status(context, Verdict.PENDING, "waits", url)
        case _:
            assert_never(output)
