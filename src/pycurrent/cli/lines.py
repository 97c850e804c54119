"""A run as lines: one for each interesting change of a stage."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import IO, Self

from pycurrent.cli.output import OutputLostError, complain, give_up, one_line
from pycurrent.cli.text import title, waits
from pycurrent.term import State
from pycurrent.view import EngineView, StageChange, StageView
from pycurrent.view.formatting import duration, local_time


class Lines:
    """Writes lines with the time, as steps bring changes. A `Screen`.

    If they can't be written, it says so once, if possible, and the run goes on.
    """

    def __init__(self, view: EngineView, stream: IO[str], *, log_command: str) -> None:
        self._stream = stream
        self._log_command = log_command
        view.listen(self._changed)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        pass

    def say(self, text: str) -> None:
        self._write([text])

    def restore(self) -> None:
        pass

    def _changed(self, changes: tuple[StageChange, ...]) -> None:
        lines = (line_of(change, self._log_command) for change in changes)
        self._write([line for line in lines if line is not None])

    def _write(self, lines: list[str]) -> None:
        if not lines:
            return
        now = local_time(datetime.now(UTC))
        try:
            self._stream.write("".join([f"{now} {line}\n" for line in lines]))
            self._stream.flush()
        except BrokenPipeError:
            give_up(self._stream)
        except OutputLostError as error:
            # The run matters more than its lines.
            give_up(self._stream)
            complain(f"pycurrent: {error}; the run goes on")


def line_of(change: StageChange, log_command: str) -> str | None:
    """The line for a change; None for none.

    Stages that could start, or wait for their input, have no line. Stages without a job, such as
    monitors, only have lines for failures and their end.
    """
    stage = change.stage
    if stage.state.is_failure and stage.update is None:
        muted = f"; {one_line(stage.note or '')}" if stage.state is State.MUTED else ""
        return _line(stage, f": {_message(stage, log_command)}{muted}")
    if stage.job_id is None:
        return _line(stage) if _has_healed(change) else None
    match stage.kind:
        case State.RUNNING if change.before is not State.RUNNING and stage.job is not None:
            return None if stage.job.is_lookup else _line(stage)
        case State.WAITING_FOR_CONFIRMATION if change.before is not stage.kind:
            return _line(stage, "" if stage.wait is None else f" {waits(stage.wait)}")
        case State.OK if change.before is not None:
            took = "" if change.took is None else f" in {duration(change.took)}"
            return _line(stage, took)
        case _:
            return None


def _has_healed(change: StageChange) -> bool:
    before = change.before
    return before is not None and before.is_failure and change.stage.state is State.OK


def _message(stage: StageView, log_command: str) -> str:
    failure = "" if stage.failure is None else one_line(stage.failure.message)
    return failure if stage.job_id is None else f"{failure} (log: {log_command} {stage.job_id})"


def _line(stage: StageView, rest: str = "") -> str:
    return f"{stage.kind.short_word:<8} {title(stage)}{rest}"
