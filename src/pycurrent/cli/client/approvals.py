"""Approvals of commits: they let untrusted work begin."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from pycurrent.cli.client.answers import ApprovalAnswer, ApprovalsAnswer
from pycurrent.cli.client.formatting import moment
from pycurrent.cli.client.jobs import ReasonOption
from pycurrent.cli.client.session import Given
from pycurrent.cli.client.status import ClientExit
from pycurrent.cli.output import one_line

_CommitArgument = Annotated[str, Parameter(help="The whole hash of the commit.")]


def approvals(*, session: Given) -> int:
    """`pycurrent client approvals`."""
    answer: ApprovalsAnswer = session.remote.get("/approvals")
    session.say(answer, _lines(answer))
    return ClientExit.OK


def approve_commit(
    commit: _CommitArgument, /, *, reason: ReasonOption = None, session: Given
) -> int:
    """`pycurrent client approve-commit`."""
    return _act("approve", commit, reason, session)


def withdraw_commit(
    commit: _CommitArgument, /, *, reason: ReasonOption = None, session: Given
) -> int:
    """`pycurrent client withdraw-commit`."""
    return _act("withdraw", commit, reason, session)


def _act(act: str, commit: str, reason: str | None, session: Given) -> int:
    body = {"commit": commit, "reason": reason}
    answer: ApprovalsAnswer = session.remote.post(f"/approvals/{act}", body)
    session.say(answer, _lines(answer))
    return ClientExit.OK


def _lines(answer: ApprovalsAnswer) -> list[str]:
    return [_line(one) for one in answer["approvals"]] or ["no commit is approved"]


def _line(answer: ApprovalAnswer) -> str:
    """An approval, in a line."""
    by = "" if answer["by"] is None else f" by {answer['by']}"
    why = "" if answer["reason"] is None else f": {answer['reason']}"
    return one_line(f"{answer['commit']} (approved{by} at {moment(answer['at'])}{why})")
