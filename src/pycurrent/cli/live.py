"""A run on a terminal: its present state, repainted in place."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import ExitStack, redirect_stderr, redirect_stdout, suppress
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import IO, Self

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.file_proxy import FileProxy
from rich.live import Live
from rich.text import Text

from pycurrent.cli.output import OutputLostError, one_line
from pycurrent.cli.pace import Pace
from pycurrent.cli.text import counts, title, waits
from pycurrent.service.alike import alike
from pycurrent.term import Failed, Muted, State, Stats, state_of_activity
from pycurrent.view import EngineView, ForResume, InQueue, Overview, StageChange, StageView
from pycurrent.view.formatting import duration

SHORTEST = 0.25
"""Seconds between two paintings, at least."""
LONGEST = 1.0
"""Seconds after which it is repainted, if only the time has changed."""

SHOW_CURSOR = b"\x1b[?25h\r\n"
_LOOKED_AT = 500
"""How many stages are grouped at most, if there are more than lines."""
_TITLE_SHARE = 0.5
"""The largest part of the width for names."""
_FRAME = 5
"""How many lines are not for stages; the last one is for the cursor."""

_STYLES = {
    State.FAILED: "bold red",
    State.RUNNING: "yellow",
    State.WAITING_FOR_CONFIRMATION: "bold blue",
    State.READY: "dim",
    State.MUTED: "red",
}


class LiveScreen:
    """Shows the interesting stages, as many as the terminal has room for. A `Screen`.

    It paints only when something has changed or a second has passed, and at most four times a
    second. Other output appears above it.
    """

    def __init__(self, view: EngineView, stream: IO[str], *, name: str, log_command: str) -> None:
        self._view = view
        self._stream = stream
        self._name = name
        self._log_command = log_command
        self._began = monotonic()
        self._pace = Pace()
        self._said: list[str] = []
        self._news = asyncio.Event()
        self._console = Console(file=stream, highlight=False)
        self._live = Live(
            get_renderable=self._picture,
            console=self._console,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
            transient=True,
            vertical_overflow="crop",
        )
        self._redirected = ExitStack()
        view.listen(self._changed)

    async def __aenter__(self) -> Self:
        # From the beginning on, as others put streams over these.
        for redirect, stream in ((redirect_stdout, sys.stdout), (redirect_stderr, sys.stderr)):
            self._redirected.enter_context(redirect(FileProxy(self._console, stream)))
        self._task = asyncio.ensure_future(self._paint())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._task.cancel()
        # A terminal that has gone away accepts nothing any more.
        with suppress(asyncio.CancelledError, OSError, OutputLostError):
            await self._task
        with suppress(OSError, OutputLostError):
            self._live.stop()
        self._redirected.close()

    def say(self, text: str) -> None:
        self._said.append(text)
        self._news.set()

    def restore(self) -> None:
        # Without rich, which may be in the middle of painting.
        os.write(self._stream.fileno(), SHOW_CURSOR)

    def _changed(self, changes: tuple[StageChange, ...]) -> None:
        # Each step counts: it may have changed only the result.
        self._news.set()

    async def _paint(self) -> None:
        # Show nothing of an engine that can't start.
        await self._news.wait()
        self._live.start()
        while True:
            self._news.clear()
            await self._view.between_steps()
            self._live.refresh()
            await asyncio.sleep(SHORTEST)
            with suppress(TimeoutError):
                async with asyncio.timeout(LONGEST - SHORTEST):
                    await self._news.wait()

    def _picture(self) -> Text:
        width, height = self._console.size
        # The whole address, in as many lines as it takes: a truncated one is useless.
        said = [part for text in self._said for part in _wrapped(text, width)]
        room = max(1, height - len(said) - self._view.problems - _FRAME)
        overview = self._view.overview(limit=max(room, _LOOKED_AT))
        seconds = monotonic() - self._began
        lines = picture(
            overview,
            name=self._name,
            took=timedelta(seconds=seconds),
            width=width,
            log=self._log_command,
            room=room,
            progress=self._pace.text(overview.counts, seconds),
        )
        lines += [Text(text) for text in said]
        return Text("\n", no_wrap=True, overflow="ellipsis", end="").join(lines)


def _wrapped(text: str, width: int) -> list[str]:
    return [text[begin : begin + width] for begin in range(0, len(text), max(1, width))] or [""]


def picture(
    overview: Overview,
    *,
    name: str,
    took: timedelta,
    width: int,
    log: str,
    room: int = _LOOKED_AT,
    progress: str = "",
) -> list[Text]:
    """The lines of a view: the summary, then stages, then the number of others.

    `room` is the number of lines for stages. If it is not enough for all of them, failed ones come
    first, with their reasons, and the others are grouped. `progress` says how far the run is.
    """
    head = Text.assemble((one_line(name), "bold"), "  ", (duration(took), "dim"))
    if progress:
        head.append(f"  {progress}")
    lines = [head, Text(counts(overview.counts))] if overview.counts.total else [head]
    lines += [
        Text.assemble(("problem  ", "bold red"), one_line(problem.message))
        for problem in overview.problems
    ]
    crowd = _Crowd(width, datetime.now(UTC))
    crowd.add(overview.stages, room)
    lines += crowd.lines
    match overview.result:
        case Muted():
            pass
        case Failed(message) if not overview.of_interest.failed:
            lines.append(Text.assemble(("failed   ", "bold red"), one_line(message)))
    if rest := _rest(overview, crowd.shown):
        lines.append(Text(f"not shown: {rest}", "dim"))
    if any(stage.job_id is not None for stage in overview.stages):
        lines.append(Text(f"logs: {log} ID", "dim"))
    return lines


class _Crowd:
    """The lines of stages, as many as there is room for."""

    def __init__(self, width: int, now: datetime) -> None:
        self.lines: list[Text] = []
        self.shown: list[StageView] = []
        """The stages that have a line, by themselves or in a group."""
        self._width = width
        self._now = now

    def add(self, stages: tuple[StageView, ...], room: int) -> None:
        failed = [stage for stage in stages if stage.kind is State.FAILED]
        others = [stage for stage in stages if stage.kind is not State.FAILED]
        fits = len(stages) <= room
        groups = [[stage] for stage in others] if fits else _grouped(others)
        # A group is a line; failures get the rest, and half of the room in any case.
        most = max(room - len(groups), room // 2, 1)
        failures = [[stage] for stage in failed] if len(failed) <= most else alike(failed)
        failures = failures[:most]
        alone = [group[0] for group in [*failures, *groups] if len(group) == 1]
        column = _title_width(alone, self._width)
        for place, group in enumerate(failures):
            if len(group) > 1:
                self.shown += group
                self.lines.append(_group_of_failures(group))
                continue
            spare = most - len(failures) - (len(self.lines) - place)
            self._add_failed(group[0], column, may_wrap=spare > 0)
        for group in groups[: max(0, room - len(self.lines))]:
            self.shown += group
            self.lines.append(
                _stage(group[0], self._now, column) if len(group) == 1 else _group(group, self._now)
            )

    def _add_failed(self, stage: StageView, column: int, *, may_wrap: bool) -> None:
        self.shown.append(stage)
        line = _stage(stage, self._now, column)
        if not may_wrap or line.cell_len <= self._width:
            self.lines.append(line)
            return
        # The reason has its own line, because it matters most.
        self.lines.append(Text.assemble(_word(stage.kind), title(stage), _job(stage)))
        self.lines.append(Text.assemble(" " * 9, _detail(stage, self._now)))


def _grouped(stages: list[StageView]) -> list[list[StageView]]:
    """Group stages by state, operation, and the thing that they wait for."""
    groups: dict[tuple[State, str | None, str], list[StageView]] = {}
    for stage in stages:
        op = None if stage.job is None else stage.job.op
        groups.setdefault((stage.kind, op, _cause(stage)), []).append(stage)
    return list(groups.values())


def _group_of_failures(stages: list[StageView]) -> Text:
    """The line of failures with one cause: their number, the reason of the first, and the names."""
    failure = stages[0].failure
    reason = "" if failure is None else one_line(failure.message)
    return Text.assemble(
        _word(stages[0].kind), f"{len(stages)} stages alike: {reason}", _named(stages)
    )


def _cause(stage: StageView) -> str:
    match stage.wait:
        case None:
            return ""
        case InQueue(pool, _):
            return waits(InQueue(pool, None))
        case wait:
            return waits(wait)


def _group(stages: list[StageView], now: datetime) -> Text:
    """The line of a group of similar stages: their number, how long the oldest has been so, and
    the first of them.
    """
    cause = _cause(stages[0])
    return Text.assemble(
        _word(stages[0].kind), f"{len(stages)} stages", f" {cause}" if cause else "",
        f" for up to {duration(now - min(stage.since for stage in stages))}",
        _named(stages),
    )  # fmt: skip


def _named(stages: list[StageView]) -> tuple[str, str]:
    """The names of the first of them, and their style."""
    names = ", ".join(one_line(stage.path) for stage in stages[:3])
    return f": {names}{', …' if len(stages) > 3 else ''}", "dim"


def _word(state: State) -> tuple[str, str]:
    """The column of the state, with its style."""
    return f"{state.short_word:<8} ", _STYLES[state]


def _title_width(stages: list[StageView], width: int) -> int:
    longest = max((cell_len(title(stage)) for stage in stages), default=0)
    return min(longest, int(width * _TITLE_SHARE))


def _stage(stage: StageView, now: datetime, column: int) -> Text:
    name = title(stage)
    shown = name if cell_len(name) <= column else set_cell_size(name, column - 1) + "…"
    line = Text.assemble(_word(stage.kind), set_cell_size(shown, column), "  ", _detail(stage, now))
    return line.append(_job(stage))


def _job(stage: StageView) -> Text:
    return Text("" if stage.job_id is None else f"  {_short(stage.job_id)}", "dim")


def _detail(stage: StageView, now: datetime) -> str:
    """The reason of a failure or a wait, or the time for which it has been running."""
    since = duration(now - stage.since)
    if stage.failure is not None:
        again = "" if stage.update is None else f" (again: {state_of_activity(stage.update).word})"
        muted = f" ({one_line(stage.note or '')})" if stage.state is State.MUTED else ""
        return f"{one_line(stage.failure.message)}{again}{muted}"
    if stage.note is not None and not isinstance(stage.wait, ForResume):
        return one_line(stage.note)
    if stage.wait is not None:
        return f"{waits(stage.wait)}, {since}"
    return since


def _short(job_id: str) -> str:
    """The end of an id, which `pycurrent log` understands."""
    return job_id.rpartition("-")[2]


def _rest(overview: Overview, shown: list[StageView]) -> str:
    """The number of hidden stages of each kind."""
    left = {
        State.FAILED: overview.of_interest.failed,
        State.RUNNING: overview.of_interest.running,
        State.WAITING_FOR_CONFIRMATION: overview.of_interest.waiting_for_confirmation,
        State.READY: overview.of_interest.ready,
        State.MUTED: overview.of_interest.muted,
    }
    for stage in shown:
        left[stage.kind] -= 1 + stage.others
    if not any(left.values()):
        return ""
    return counts(
        Stats(
            failed=left[State.FAILED],
            running=left[State.RUNNING],
            waiting_for_confirmation=left[State.WAITING_FOR_CONFIRMATION],
            ready=left[State.READY],
            muted=left[State.MUTED],
        )
    )
