"""The sentences for the reasons that `why` gives."""

from __future__ import annotations

import re
from typing import TypeAlias, assert_never

from pycurrent.cache import because
from pycurrent.engine.clock import instant
from pycurrent.engine.shares import ShareView
from pycurrent.explain.reasons import (
    Blocked,
    Failing,
    FailureMuted,
    FoundAgain,
    Given,
    InConflict,
    MadeAgain,
    Pinned,
    Ran,
    Reason,
    Reused,
    Running,
    Says,
    TakenAsThere,
    WaitsForAnswer,
    WaitsForApproval,
    WaitsForConfirmation,
    WaitsForEnd,
    WaitsForRead,
    WaitsForRecords,
    WaitsForResume,
    WaitsForRun,
    WaitsForStep,
    WaitsInQueue,
    WaitsUntil,
)
from pycurrent.store import ChangeRecord

_Waiting: TypeAlias = (
    WaitsForConfirmation
    | WaitsForApproval
    | WaitsForResume
    | WaitsInQueue
    | WaitsForRun
    | WaitsUntil
    | WaitsForAnswer
    | WaitsForRecords
    | WaitsForStep
    | WaitsForRead
)

_MOST = 12
"""How many fields that differ are shown."""
_GIT_ID = re.compile(r"\b([0-9a-f]{10})[0-9a-f]{30}\b")


def sentences(reason: Reason) -> list[str]:
    """The reason in words, a line each."""
    match reason:
        case Ran():
            return _of_run(reason)
        case Reused() | FoundAgain():
            return [_of_result(reason)]
        case Running() | WaitsForEnd():
            return _of_job(reason)
        case InConflict(message) | Failing(message):
            return [message]
        case Blocked(stages, more):
            rest = f" and {more} more" if more else ""
            return [f"it needs {', '.join(stages)}{rest}"]
        case MadeAgain(activity):
            return [f"it shows an old result while a new one is made ({activity})"]
        case FailureMuted():
            return [_of_mute(reason)]
        case Given():
            return [_of_given(reason)]
        case TakenAsThere(why, again):
            unknown = "nobody knows whether its result is still there, so it is taken as there"
            return [f"{unknown}; that is asked again at {instant(again)}: {why}"]
        case Pinned(value, by, at, reason=why, until=until):
            who = "" if by is None else f" by {by}"
            ends = "" if until is None else f", until {instant(until)}"
            said = "" if why is None else f": {why}"
            return [f"it is pinned at {value}{who}, since {instant(at)}{ends}{said}"]
        case Says(activity, note):
            said = "" if note is None else f": {note}"
            return [f"its source says that it is {activity}{said}"]
        case _:
            return _of_waiting(reason)


def _of_job(reason: Running | WaitsForEnd) -> list[str]:
    waits = [f"it waits for {what}" for what in reason.waits]
    if isinstance(reason, WaitsForEnd):
        return [f"job {reason.job} has not begun", *waits]
    began = "" if reason.since is None else f" since {instant(reason.since)}"
    ending = "" if reason.stopped is None else f"; it is to end: {reason.stopped}"
    return [f"job {reason.job} is running{began}{ending}", *waits]


def _of_waiting(reason: _Waiting) -> list[str]:
    match reason:
        case WaitsForConfirmation(job, level, threshold):
            waits = f"job {job} waits until somebody approves it: its level is {level}"
            return [f"{waits}, and jobs from {threshold} on ask"]
        case WaitsForApproval(job, commit, source):
            what = f"untrusted commit {commit} of {source}"
            return [f"job {job} waits until somebody approves {what}"]
        case WaitsForResume(job, what, by, why, until):
            who = "" if by is None else f" by {by}"
            end = "" if until is None else f" until {instant(until)}"
            said = "" if why is None else f": {why}"
            return [f"job {job} waits until {what} is resumed, which is paused{who}{end}{said}"]
        case WaitsInQueue():
            return _of_queue(reason)
        case WaitsForRun(job):
            return [f"job {job}, an earlier run of the same key, has to end first"]
        case WaitsUntil(until, why, attempt, of):
            again = f"it is tried again at {instant(until)}"
            if attempt is None:
                return [f"the machine failed the last run, and {again}: {why}"]
            return [f"the last run failed, and {again}, attempt {attempt} of {of}: {why}"]
        case WaitsForAnswer(job):
            return [f"its operation is asked whether the result of job {job} is still there"]
        case WaitsForRecords(why):
            return [f"nothing new is begun, as the database can't be written: {why}"]
        case WaitsForStep():
            return ["it goes on with the next step"]
        case WaitsForRead(input, last_known):
            known = "" if last_known is None else f"; in the last run it was {last_known}"
            return [f"{input or 'the input'} was not read yet{known}"]
        case _:
            assert_never(reason)


def _of_run(ran: Ran) -> list[str]:
    why = "" if ran.cause is None else f" because {because(ran.cause)}"
    lines = [f"job {ran.job} {ran.phase.words}{why}"]
    if ran.differences:
        lines.append(f"compared with job {ran.last}, the last one of the stage:")
        shown = ran.differences[:_MOST]
        lines += [f"  {d.field}: {_shown(d.old)} → {_shown(d.new)}" for d in shown]
        if more := len(ran.differences) - len(shown):
            lines.append(f"  and {more} more")
    if ran.changes:
        lines += ["it follows from:", *(f"  {told(change)}" for change in ran.changes)]
    return lines


def _of_result(reason: Reused | FoundAgain) -> str:
    if isinstance(reason, Reused):
        return f"it uses the result of job {reason.job}, of {instant(reason.finished)}"
    often = "once" if reason.times == 1 else f"{reason.times} times"
    return f"it was looked up again {often} since, unchanged, the last time at {instant(reason.at)}"


def _of_mute(muted: FailureMuted) -> str:
    whose = "its failure" if muted.stage is None else f"the failure of {muted.stage}"
    who = "" if muted.by is None else f" by {muted.by}"
    where = "" if muted.what.startswith("path ") else f", as {muted.what}"
    times = f"; it has passed {muted.passes} times in a row" if muted.passes else ""
    return (
        f"{whose} is muted{who}{where}, since {instant(muted.at)}, until {instant(muted.until)},"
        f" and {muted.owner} is to fix it: {muted.reason}{times}"
    )


def _of_given(given: Given) -> str:
    return f"without the pin: {_given(given)}" if given.is_held else _given(given)


def _given(given: Given) -> str:
    if given.change is not None:
        return f"{given.change.summary}, at {instant(given.change.at)}"
    whose = "" if given.by is None else f", as {given.by} has set it"
    said = whose if given.reason is None else f"{whose}: {given.reason}"
    return f"{given.input or 'the input'} is as it was when the engine was started{said}"


def _of_queue(queue: WaitsInQueue) -> list[str]:
    place = "" if queue.place is None else f", as number {queue.place} of {queue.waiting}"
    lines = [f"job {queue.job} waits for a resource of pool {queue.pool}{place}"]
    if queue.holders:
        lines.append(f"held by {', '.join(queue.holders)}")
    if queue.share is not None:
        lines.append(_of_share(queue.share))
    lines += (f"waiting for {what}" for what in queue.waits_for)
    return lines


def _of_share(share: ShareView) -> str:
    name = f"without {share.label}" if share.value is None else f"{share.label}={share.value}"
    limit = "" if share.quota is None else f", of a quota of {share.quota}"
    return f"its share, {name}, holds {share.held}{limit}"


def _shown(text: str | None) -> str:
    """A value, with ids of git as people write them."""
    return "nothing" if text is None else _GIT_ID.sub(r"\1", text)


def told(change: ChangeRecord) -> str:
    """A change in a line: what, by whom, when, and its number."""
    by = "" if change.by is None or change.by in change.summary else f" (by {change.by})"
    return f"{change.summary}{by}, at {instant(change.at)} (change {change.id})"
