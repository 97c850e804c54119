"""A run on a terminal: what it does now, painted anew in place."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import IO, Self

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.live import Live
from rich.text import Text

from pycurrent.cli.output import OutputLostError
from pycurrent.cli.text import counts, one_line, title, waits
from pycurrent.service import EngineView, Overview, StageChange, StageView
from pycurrent.service.words import duration
from pycurrent.term import Failed, State, Stats

SHORTEST = 0.25
"""Seconds between two paintings, at least."""
LONGEST = 1.0
"""Seconds after which it is painted anew though nothing has changed but the time."""

SHOW_CURSOR = b"\x1b[?25h\r\n"
_TITLE_SHARE = 0.5
"""Of the width, at most, is the names'."""
_FRAME = 5
"""How many lines are not for stages; the last one is the cursor's."""

_WORDS = {
    State.FAILED: ("failed", "bold red"),
    State.RUNNING: ("running", "yellow"),
    State.WAITING_FOR_CONFIRMATION: ("waiting", "bold blue"),
    State.READY: ("ready", "dim"),
}


class LiveScreen:
    """Shows the stages that are of interest, as many as the terminal has room for. A `Screen`.

    Painted only when something has changed or a second has passed, and no more than four times
    a second. What is printed meanwhile appears above it.
    """

    def __init__(self, view: EngineView, stream: IO[str], *, name: str, log_command: str) -> None:
        self._view = view
        self._stream = stream
        self._name = name
        self._log_command = log_command
        self._began = monotonic()
        self._said: list[str] = []
        self._news = asyncio.Event()
        self._console = Console(file=stream, highlight=False)
        self._live = Live(
            get_renderable=self._picture,
            console=self._console,
            auto_refresh=False,
            transient=True,
            vertical_overflow="crop",
        )
        view.listen(self._changed)

    async def __aenter__(self) -> Self:
        self._task = asyncio.ensure_future(self._paint())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._task.cancel()
        # A terminal that has gone away takes nothing any more.
        with suppress(asyncio.CancelledError, OSError, OutputLostError):
            await self._task
        with suppress(OSError, OutputLostError):
            self._live.stop()

    def say(self, text: str) -> None:
        self._said.append(text)
        self._news.set()

    def restore(self) -> None:
        # Not by way of rich, which may be in the middle of a painting.
        os.write(self._stream.fileno(), SHOW_CURSOR)

    def _changed(self, changes: tuple[StageChange, ...]) -> None:
        # Each step counts: it may have changed the result only.
        self._news.set()

    async def _paint(self) -> None:
        # Nothing is shown of an engine that can't start.
        await self._news.wait()
        self._live.start()
        while True:
            self._news.clear()
            self._live.refresh()
            await asyncio.sleep(SHORTEST)
            with suppress(TimeoutError):
                async with asyncio.timeout(LONGEST - SHORTEST):
                    await self._news.wait()

    def _picture(self) -> Text:
        width, height = self._console.size
        # Whole, in as many lines as it takes: an address that is cut off leads nowhere.
        said = [part for text in self._said for part in _wrapped(text, width)]
        taken = len(said) + self._view.problems + _FRAME
        overview = self._view.overview(limit=max(1, height - taken))
        took = timedelta(seconds=monotonic() - self._began)
        lines = picture(overview, name=self._name, took=took, width=width, log=self._log_command)
        lines += [Text(text) for text in said]
        return Text("\n", no_wrap=True, overflow="ellipsis", end="").join(lines)


def _wrapped(text: str, width: int) -> list[str]:
    return [text[begin : begin + width] for begin in range(0, len(text), max(1, width))] or [""]


def picture(overview: Overview, *, name: str, took: timedelta, width: int, log: str) -> list[Text]:
    """The lines of a view: the whole first, then stages, then how many more there are."""
    head = Text.assemble((one_line(name), "bold"), "  ", (duration(took), "dim"))
    lines = [head, Text(counts(overview.counts))] if overview.counts.total else [head]
    lines += [
        Text.assemble(("problem  ", "bold red"), one_line(problem.message))
        for problem in overview.problems
    ]
    now = datetime.now(UTC)
    column = _title_width(overview.stages, width)
    lines += [_stage(stage, now, column) for stage in overview.stages]
    match overview.result:
        case Failed(message) if not overview.of_interest.failed:
            lines.append(Text.assemble(("failed   ", "bold red"), one_line(message)))
    if rest := _rest(overview):
        lines.append(Text(f"not shown: {rest}", "dim"))
    if any(stage.job_id is not None for stage in overview.stages):
        lines.append(Text(f"logs: {log} ID", "dim"))
    return lines


def _title_width(stages: tuple[StageView, ...], width: int) -> int:
    longest = max((cell_len(title(stage)) for stage in stages), default=0)
    return min(longest, int(width * _TITLE_SHARE))


def _stage(stage: StageView, now: datetime, column: int) -> Text:
    word, style = _WORDS[stage.kind]
    name = title(stage)
    shown = name if cell_len(name) <= column else set_cell_size(name, column - 1) + "…"
    line = Text.assemble(
        (f"{word:<8} ", style), set_cell_size(shown, column), "  ", _detail(stage, now)
    )
    if stage.job_id is not None:
        line.append(f"  {_short(stage.job_id)}", "dim")
    return line


def _detail(stage: StageView, now: datetime) -> str:
    """Why it failed, what it waits for, or since when it runs."""
    since = duration(now - stage.since)
    if stage.failure is not None:
        again = "" if stage.update is None else f" (again: {stage.update.value})"
        return f"{one_line(stage.failure.message)}{again}"
    if stage.note is not None:
        return one_line(stage.note)
    if stage.wait is not None:
        return f"{waits(stage.wait)}, {since}"
    return since


def _short(job_id: str) -> str:
    """The end of an id, which `pycurrent log` understands."""
    return job_id.rpartition("-")[2]


def _rest(overview: Overview) -> str:
    """How many of each kind are not shown."""
    left = {
        State.FAILED: overview.of_interest.failed,
        State.RUNNING: overview.of_interest.running,
        State.WAITING_FOR_CONFIRMATION: overview.of_interest.waiting_for_confirmation,
        State.READY: overview.of_interest.ready,
    }
    for stage in overview.stages:
        left[stage.kind] -= 1
    if not any(left.values()):
        return ""
    return counts(
        Stats(
            failed=left[State.FAILED],
            running=left[State.RUNNING],
            waiting_for_confirmation=left[State.WAITING_FOR_CONFIRMATION],
            ready=left[State.READY],
        )
    )
