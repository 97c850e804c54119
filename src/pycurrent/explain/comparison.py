"""Compares the logs of two jobs, line by line: times, hashes and what else differs each time are
ignored.

Of a long log only the end is compared, so that the work is bounded: an error is as a rule there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from enum import Enum
from itertools import zip_longest

from msgspec import Struct

LINES = 3000
"""How many lines of the end of each log are compared."""
MOST_SHOWN = 2000
"""How many lines of the result are kept."""
_LONGEST_LINE = 2000
_CONTEXT = 3
"""How many equal lines are shown around those that differ."""

_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))")
_IGNORED = re.compile(
    r"""
      \b\d{4}-\d\d-\d\d/\d{6}-[\w.-]*-[0-9a-f]{6}\b                       # a job
    | \b\d{4}-\d\d-\d\d(?:[T\ ]\d\d?:\d\d(?:[:.]\d\d(?:[.,]\d+)?)?)?(?:Z|[+-]\d\d:?\d\d)?
    | \b\d\d?:\d\d:\d\d(?:[.,]\d+)?\b
    | \b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b
    | \b0x[0-9a-fA-F]+\b
    | \b(?=[a-fA-F]*\d)(?=\d*[a-fA-F])[0-9a-fA-F]{7,128}\b                # a hash
    | (?<![\w.])\d+(?:[.,]\d+)?\ ?(?:ns|us|µs|ms|s|secs?|seconds?|m|mins?|minutes?|h|hours?)\b
    | \b(?:tmp[a-z0-9_]{8}|tmp\.\w{6,10})\b
    """,
    re.VERBOSE,
)


class Mark(Enum):
    """How a line stands to the other log. The value is the sign of it."""

    SAME = " "
    GONE = "-"
    """It is only in the log that is compared with."""
    NEW = "+"
    """It is only in the log that is looked at."""


class DiffLine(Struct, frozen=True):
    """A line of one log or of both."""

    mark: Mark
    old: int | None
    """Its number in the log that is compared with, from 1 on; None: it is not there."""
    new: int | None
    text: str


class Hunk(Struct, frozen=True):
    """Lines that follow each other, some of which differ."""

    lines: tuple[DiffLine, ...]

    @property
    def pairs(self) -> Iterator[tuple[DiffLine | None, DiffLine | None]]:
        """The lines side by side: those of the log that is compared with, and of the other one."""
        gone, new = list[DiffLine](), list[DiffLine]()
        for line in self.lines:
            match line.mark:
                case Mark.GONE:
                    gone.append(line)
                case Mark.NEW:
                    new.append(line)
                case Mark.SAME:
                    yield from zip_longest(gone, new)
                    gone.clear()
                    new.clear()
                    yield line, line
        yield from zip_longest(gone, new)


class Comparison(Struct, frozen=True):
    """The log of a job beside that of another one."""

    job: str
    other: str
    hunks: tuple[Hunk, ...]
    """Empty if nothing differs."""
    is_whole: bool
    """False if one of the logs is longer than what was compared."""
    more: int
    """How many lines that differ, or stand beside those, are left out."""


class End(Struct, frozen=True):
    """The end of a log."""

    first: int
    """The number of its first line, from 1 on."""
    lines: tuple[str, ...]
    """As a terminal would show them; control sequences included."""
    is_whole: bool
    """True if it is all of the log."""


def compare(job: str, new: End, other: str, old: End) -> Comparison:
    """Compare the log of `job` with that of `other`. For a thread, as it may take a while."""
    old, new = _plain(old), _plain(new)
    before, after = ([_normal(line) for line in end.lines] for end in (old, new))
    matcher = SequenceMatcher(None, before, after)
    hunks, left, more = list[Hunk](), MOST_SHOWN, 0
    for group in matcher.get_grouped_opcodes(_CONTEXT):
        lines = [line for opcode in group for line in _lines(opcode, old, new)]
        shown = lines[:left]
        if shown:
            hunks.append(Hunk(tuple(shown)))
        left -= len(shown)
        more += len(lines) - len(shown)
    return Comparison(job, other, tuple(hunks), old.is_whole and new.is_whole, more)


def _lines(opcode: tuple[str, int, int, int, int], old: End, new: End) -> Iterator[DiffLine]:
    tag, old_from, old_to, new_from, new_to = opcode
    if tag == "equal":
        for here, there in zip(range(old_from, old_to), range(new_from, new_to), strict=True):
            yield DiffLine(Mark.SAME, old.first + here, new.first + there, new.lines[there])
        return
    for at in range(old_from, old_to):
        yield DiffLine(Mark.GONE, old.first + at, None, old.lines[at])
    for at in range(new_from, new_to):
        yield DiffLine(Mark.NEW, None, new.first + at, new.lines[at])


def _plain(end: End) -> End:
    """Without what a terminal would obey, and without the rest of very long lines."""
    lines = (_ESCAPE.sub("", line) for line in end.lines)
    cut = (line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}…" for line in lines)
    return End(end.first, tuple(cut), end.is_whole)


def _normal(line: str) -> str:
    return _IGNORED.sub("…", line)
