"""The output in a log: what its commands have printed, as a terminal would show it.

A log has notes too, lines of our own that begin with the time (`2026-11-22 09:30.05: Exec: make`).
They are blank in the output. Every other line stays the line that it was, so that a place in the
output leads to a place in the log.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import BinaryIO

MOST_OF_BEGINNING = 1 << 20
MOST_OF_END = 3 << 20
"""Bytes of a log that are looked at. The middle of a longer one is not: the first errors are likely
to stand in its beginning, and the last ones stand in its end.
"""

_ESCAPE = re.compile(
    rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[ -/]*[0-Z\\^_`-~])"
)
_STAMP = rb"\d{4}-\d\d-\d\d \d\d:\d\d\.\d\d: "
_NOTE = re.compile(rb"^" + _STAMP + rb".*", re.MULTILINE)
_COMMAND = re.compile(rb"^" + _STAMP + rb"Exec: ", re.MULTILINE)
_END = re.compile(rb"^" + _STAMP + rb"(?:Job failed: |The job )", re.MULTILINE)
_STEP_FAILED = b"\n------\n > "
"""By this BuildKit is known."""
_STEP = re.compile(rb"^(?:#\d+ )?(?:\d+\.\d+ )?", re.MULTILINE)
"""BuildKit prints it before each line of a step, and only the seconds where it repeats them."""
_ENDS_OF_LINES = re.compile(rb"\r+$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class OutputPart:
    """A part of a log, from the beginning of a line on."""

    offset: int
    """Where it begins in the log, in bytes."""
    number: int | None
    """The number of its first line, from 1; None if lines before it were not read."""
    raw: bytes
    text: bytes
    """Its output: as many lines as `raw` has."""
    last_command: int | None
    """Where the output of the last command begins in `text`, if a command begins here."""
    is_last: bool
    """True if the log ends with it."""

    @classmethod
    def of(cls, raw: bytes, offset: int, number: int | None, *, is_last: bool) -> OutputPart:
        text = _as_shown(raw)
        commands = [found.end() for found in _COMMAND.finditer(text)]
        line = text.count(b"\n", 0, commands[-1]) if commands else None
        # The lines of the message that it ends with are not output either.
        if ends := [found.start() for found in _END.finditer(text)]:
            text = text[: ends[-1]] + b"\n" * text.count(b"\n", ends[-1])
        text = _NOTE.sub(b"", text)
        command = None if line is None else start_of_line(text, line)
        return cls(offset, number, raw, text, command, is_last)

    def place(self, at: int) -> tuple[int, int | None]:
        """Return the offset in the log, and the number, of the line at a place in `text`."""
        line = self.text.count(b"\n", 0, at)
        number = None if self.number is None else self.number + line
        return self.offset + start_of_line(self.raw, line), number


@dataclass(frozen=True, slots=True)
class JobOutput:
    """The output of a job, without the middle if it is long."""

    parts: tuple[OutputPart, ...]
    skipped: int
    """Bytes of the log that were not read, between the first part and the last."""


def read_output(log: BinaryIO) -> JobOutput:
    """Read the output in a log, which can be sought in. Raises OSError.

    However long the log is, this takes a second and 100 MB at most; mostly 0.1 s and 20 MB.
    """
    size = log.seek(0, os.SEEK_END)
    log.seek(0)
    if size <= MOST_OF_BEGINNING + MOST_OF_END:
        return JobOutput((OutputPart.of(log.read(size), 0, 1, is_last=True),), 0)
    beginning = log.read(MOST_OF_BEGINNING)
    beginning = beginning[: beginning.rfind(b"\n") + 1] or beginning
    log.seek(size - MOST_OF_END)
    end = log.read(MOST_OF_END)
    begun = end.find(b"\n") + 1
    offset = size - MOST_OF_END + begun
    parts = (
        OutputPart.of(beginning, 0, 1, is_last=False),
        OutputPart.of(end[begun:], offset, None, is_last=True),
    )
    return JobOutput(parts, offset - len(beginning))


def start_of_line(text: bytes, line: int) -> int:
    """Return where a line begins; the first one is 0."""
    at = 0
    for _ in range(line):
        at = text.find(b"\n", at) + 1
    return at


def _as_shown(raw: bytes) -> bytes:
    """The text as a terminal shows it: without colours, and without what was overwritten; and
    without what BuildKit prints before each line.
    """
    text = _ESCAPE.sub(b"", raw) if b"\x1b" in raw else raw
    if b"\r" in text:
        text = _ENDS_OF_LINES.sub(b"", text)
    if b"\r" in text:
        text = b"\n".join(line.rpartition(b"\r")[2] for line in text.split(b"\n"))
    return _STEP.sub(b"", text) if _STEP_FAILED in text else text
