"""What a run shows while it goes on: lines, or on a terminal a live view."""

from __future__ import annotations

import os
from contextlib import AbstractAsyncContextManager
from typing import IO, Protocol, Self

from pycurrent.cli.lines import Lines
from pycurrent.service import EngineView


class Screen(AbstractAsyncContextManager["Screen"], Protocol):
    """Shows what an engine does, from its first step on, within its block."""

    async def __aenter__(self) -> Self: ...

    def say(self, text: str) -> None:
        """Show a line about the run itself."""

    def restore(self) -> None:
        """Leave the terminal usable: the process ends at once, whatever it was doing."""


def is_live(stream: IO[str]) -> bool:
    """Whether there is a terminal that can be written to anywhere."""
    return stream.isatty() and os.environ.get("TERM", "") not in {"dumb", "unknown", ""}


def screen_for(view: EngineView, stream: IO[str], *, name: str, log_command: str) -> Screen:
    """What suits the stream. `name` is how the pipeline is called, `log_command` how a log is
    shown, but for the job's id.
    """
    if is_live(stream):
        # Only here, as it takes a while to import.
        from pycurrent.cli.live import LiveScreen

        return LiveScreen(view, stream, name=name, log_command=log_command)
    return Lines(view, stream, log_command=log_command)
