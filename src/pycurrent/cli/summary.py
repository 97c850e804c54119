"""The summary at the end of a run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from itertools import chain
from pathlib import Path

from msgspec import Struct

from pycurrent.cli.option import DEFAULT_STATE_DIR, STATE_DIR_VARIABLE
from pycurrent.cli.output import for_terminal, one_line
from pycurrent.cli.status import Exit
from pycurrent.cli.text import counts, title, waits
from pycurrent.term import Failed, Muted, State
from pycurrent.view import ForResume, Overview, StageView
from pycurrent.view.formatting import duration

LOOKED_AT = 500
"""How many stages it groups at most."""
_LISTED = 20
"""The largest number of failures that it names, and of other stages."""
_ALONE = 3
"""As many stages that wait for the same are named one by one, and as many of a group."""

_WORDS = {
    Exit.OK: "ok",
    Exit.FAILED: "failed",
    Exit.UNCONFIRMED: "waiting for confirmation",
    Exit.MACHINE: "unfinished",
    Exit.UNRECORDED: "not recorded",
}


def log_command(state_dir: Path) -> str:
    """The command that shows a log, without the job's id."""
    default = Path(os.environ.get(STATE_DIR_VARIABLE, DEFAULT_STATE_DIR))
    if state_dir == default:
        return "pycurrent log"
    import shlex  # most runs have their folder where it is by default

    return f"pycurrent log --state-dir {shlex.quote(str(state_dir))}"


class Summary(Struct, frozen=True):
    """The end of a run in which nothing more could happen, or that was stopped."""

    overview: Overview
    status: Exit | None
    """None if it was stopped."""
    took: timedelta
    log_command: str
    tail: Callable[[str], list[str]] = lambda job_id: []
    """The last lines of the log of a job that has failed."""

    def text(self) -> str:
        """The lines, the result in the first one."""
        return "".join([f"{line}\n" for line in self._lines()])

    def _lines(self) -> Iterator[str]:
        overview, result = self.overview, self.overview.result
        word = "stopped" if self.status is None else _WORDS[self.status]
        if self.status is Exit.FAILED and not isinstance(result, Failed):
            word = "unfinished"
        elif self.status is Exit.UNCONFIRMED and not overview.of_interest.waiting_for_confirmation:
            word = "paused"
        yield f"{word}: {counts(overview.counts)} ({duration(self.took)})"
        for problem in overview.problems:
            yield f"  {one_line(problem.message)}"
        waiting = _by_wait(stage for stage in overview.stages if _is_told(stage))[:_LISTED]
        for group in waiting:
            yield from self._stage(group[0]) if len(group) == 1 else _group(group)
        # These come last, where they stay in sight.
        failed = _by_cause([stage for stage in overview.stages if stage.failure is not None])
        for first, *others in failed:
            yield from self._stage(first)
            if others:
                yield f"    {len(others)} more like it: {_names(others)}"
        interest = overview.of_interest
        left = interest.failed + interest.waiting_for_confirmation + interest.muted
        left -= sum(1 + stage.others for stage in chain.from_iterable([*waiting, *failed]))
        if left > 0:
            yield f"  ... and {left} more"
        is_told_of = interest.failed or isinstance(result, Muted)
        if isinstance(result, Failed) and not is_told_of:
            yield f"  {one_line(result.message)}"
            yield from _frames(result)
        if self.status is Exit.MACHINE:
            yield "  the machine has run out of something, and trying again did not help"
        elif word == "unfinished":
            yield "  the result is not known, and nothing is running that would bring it"

    def _stage(self, stage: StageView) -> Iterator[str]:
        if stage.failure is not None:
            yield f"  {title(stage)}: {one_line(stage.failure.message)}"
            if stage.state is State.MUTED and stage.note is not None:
                yield f"    {one_line(stage.note)}"
        elif stage.note is not None and not isinstance(stage.wait, ForResume):
            yield f"  {title(stage)}: {one_line(stage.note)}"
        else:
            yield f"  {title(stage)} waits {'' if stage.wait is None else waits(stage.wait)}"
        if stage.job_id is not None:
            yield f"    {self.log_command} {stage.job_id}"
            if stage.failure is not None:
                yield from (f"    | {line}" for line in self.tail(stage.job_id))
        elif stage.failure is not None:
            yield from _frames(stage.failure)


def _is_told(stage: StageView) -> bool:
    """True if it waits for something that does not come by itself, or has a note."""
    if stage.failure is not None:
        return False
    concerns = stage.kind in {State.FAILED, State.WAITING_FOR_CONFIRMATION}
    return concerns or stage.note is not None or isinstance(stage.wait, ForResume)


def _by_cause(failed: list[StageView]) -> list[list[StageView]]:
    """The failures that are named: each by itself, or if there are too many those alike as one."""
    if len(failed) <= _LISTED:
        return [[stage] for stage in failed]
    from pycurrent.service.alike import alike  # few runs have many failures

    return alike(failed)[:_LISTED]


def _by_wait(stages: Iterable[StageView]) -> list[list[StageView]]:
    """Many stages that wait for the same are one group; each of the others is one by itself."""
    groups: dict[str, list[StageView]] = {}
    for stage in stages:
        is_plain = stage.wait is not None and (
            stage.note is None or isinstance(stage.wait, ForResume)
        )
        cause = "" if stage.wait is None or not is_plain else waits(stage.wait)
        groups.setdefault(cause or f"\0{stage.path}", []).append(stage)
    return [
        part
        for group in groups.values()
        for part in ([group] if len(group) > _ALONE else [[stage] for stage in group])
    ]


def _group(stages: list[StageView]) -> Iterator[str]:
    wait = stages[0].wait
    yield f"  {len(stages)} stages wait {'' if wait is None else waits(wait)}: {_names(stages)}"


def _names(stages: list[StageView]) -> str:
    """The first of them by name."""
    more = ", ..." if len(stages) > _ALONE else ""
    return ", ".join(one_line(stage.path) for stage in stages[:_ALONE]) + more


def _frames(failure: Failed) -> Iterator[str]:
    """The place of an exception in an author's code; that of a job is in its log."""
    text = for_terminal((failure.traceback or "").encode(errors="replace")).decode(errors="replace")
    for line in text.splitlines():
        yield f"    {line}"
