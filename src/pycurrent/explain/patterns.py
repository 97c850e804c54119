"""The patterns of `patterns.toml`: the lines by which common tools tell of a failure."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from pycurrent.term import FailureKind

REASON = 3
"""The weight of a line that gives the reason."""
VAGUE = 1
"""The weight of a line that may have to do with it."""

_FILE = Path(__file__).with_name("patterns.toml")

_MEMORY = 64 << 20
"""In bytes: for the automaton of all patterns together, and what it caches while it matches."""

_WINDOW = 1 << 20
_MOST_IN_WINDOW = 5000
"""Bytes that are searched at once, and lines that are looked at in them: all may be errors."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A line by which a tool tells of a failure."""

    tool: str
    line: str
    weight: int
    kind: FailureKind | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """A line of a text that a pattern has matched, by its place in bytes."""

    start: int
    end: int
    told_at: int
    """Where the match ends, in the line or at its end."""
    pattern: Pattern

    def moved(self, by: int) -> Match:
        """Return the same line in a text in which it stands so many bytes further on."""
        return Match(self.start + by, self.end + by, self.told_at + by, self.pattern)


class Patterns:
    """Patterns, of those that match a line the first decides. May be used from any thread."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        # Imported here, as most programs that import pycurrent have no job that fails.
        import re2

        options = re2.Options()
        options.log_errors = False
        options.max_mem = _MEMORY
        options.never_nl = True  # not even \s and [^:] match the end of a line
        options.never_capture = True
        self._patterns = tuple(patterns)
        joined = "|".join(f"(?:{pattern.line})" for pattern in patterns)
        self._any: Any = re2.compile("(?m)" + joined, options)
        self._which: Any = re2.Set.SearchSet(options)
        for pattern in patterns:
            self._which.Add(pattern.line)
        self._which.Compile()

    def of_line(self, line: bytes) -> Pattern | None:
        """Return the pattern that decides on a line, if any matches it."""
        matching = self._which.Match(line)
        return self._patterns[min(matching)] if matching else None

    def matches(self, text: bytes) -> Iterator[Match]:
        """Yield the lines of a text that a pattern matches, in their order.

        Linear in the text. Of a text that has thousands of them in a megabyte it skips some.
        """
        start = 0
        while start < len(text):
            end = text.find(b"\n", min(start + _WINDOW, len(text))) + 1 or len(text)
            for match in self._in_window(text[start:end]):
                yield match.moved(start)
            start = end

    def _in_window(self, text: bytes) -> Iterator[Match]:
        done = 0
        for found in islice(self._any.finditer(text), _MOST_IN_WINDOW):
            at = found.start()
            if at < done:
                continue
            start = text.rfind(b"\n", 0, at) + 1
            end = text.find(b"\n", at)
            done = end = end if end >= 0 else len(text)
            pattern = self.of_line(text[start:end])
            if pattern is not None and pattern.weight:
                yield Match(start, end, min(found.end(), end), pattern)


@cache
def common_patterns() -> Patterns:
    """Return those of `patterns.toml`."""
    return Patterns(read_patterns())


def read_patterns() -> list[Pattern]:
    """Read `patterns.toml`."""
    with _FILE.open("rb") as file:
        entries = tomllib.load(file)["pattern"]
    return [
        Pattern(
            entry["tool"],
            entry["line"],
            entry["weight"],
            FailureKind(entry["kind"]) if "kind" in entry else None,
        )
        for entry in entries
    ]
