"""The display of a run: lines, or a live view on a terminal."""

from __future__ import annotations

import os
from contextlib import AbstractAsyncContextManager
from typing import IO, Protocol, Self

from pycurrent.cli.lines import Lines
from pycurrent.view import EngineView


class Screen(AbstractAsyncContextManager["Screen"], Protocol):
    """Shows the work of an engine, from its first step on, within its block."""

    async def __aenter__(self) -> Self: ...

    def say(self, text: str) -> None:
        """Show a line about the run itself."""

    def restore(self) -> None:
        """Leave the terminal usable: the process ends at once, whatever it is doing."""


def is_live(stream: IO[str]) -> bool:
    """True for a terminal with a movable cursor."""
    return stream.isatty() and os.environ.get("TERM", "") not in {"dumb", "unknown", ""}


def screen_for(view: EngineView, stream: IO[str], *, name: str, log_command: str) -> Screen:
    """The display that suits the stream. `name` is that of the pipeline, and `log_command` is the
    command that shows a log, without the job's id.
    """
    if is_live(stream):
        # Only here, because it takes a while to import.
        from pycurrent.cli.live import LiveScreen

        return LiveScreen(view, stream, name=name, log_command=log_command)
    return Lines(view, stream, log_command=log_command)
