"""Looking for something in a log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, BinaryIO

from pycurrent.service.errors import BadPattern
from pycurrent.service.log_index import LONGEST_LINE, LogIndex, LogLine, overwritten

_BLOCK = 1 << 20
_MEMORY = 1 << 20
_SGR = r"(?:\x1b\[[0-9;:]*m)*"
_COLOURED = 80
"""Letters: in a longer text no change of colour is looked for, as its pattern would be large."""
_LARGEST_PROGRAM = 1000
"""In instructions: what is larger may take long (see `pycurrent.engine.logrules`)."""


class Syntax(Enum):
    """How to read what is looked for."""

    TEXT = "text"
    """As it stands; the case of letters makes no difference."""
    PATTERN = "pattern"
    """A regular expression of RE2, in each line."""


@dataclass(frozen=True, slots=True)
class LogQuery:
    """A pattern, and the part of a log in which to look for it."""

    text: str
    syntax: Syntax = Syntax.TEXT
    first: int = 0
    """The line to begin with."""
    limit: int = 100
    """How many lines to find at most."""


@dataclass(frozen=True, slots=True)
class LogMatch:
    """A line in which it was found."""

    number: int
    line: LogLine


@dataclass(frozen=True, slots=True)
class LogMatches:
    """The result of a search."""

    matches: tuple[LogMatch, ...]
    next: int | None
    """The line to go on from; None if the end of the log was reached."""


def search_log(index: LogIndex, query: LogQuery) -> LogMatches:
    """The lines that match. Reads the log from `first` on: call it in a thread.

    A line of more than a megabyte is looked at piece by piece: what is where two of them meet is
    not found, and `cut` is only about its piece.

    Raises BadPattern, or OSError if the log can't be read.
    """
    found: dict[int, LogMatch] = {}
    offset, number = index.offset(query.first)
    with index.log.open() as file:
        file.seek(offset)
        for match in _matches(file, number, _compiled(query)):
            if match.number < query.first or match.number in found:
                continue
            if len(found) == query.limit:
                return LogMatches(tuple(found.values()), match.number)
            found[match.number] = match
    return LogMatches(tuple(found.values()), None)


def _matches(file: BinaryIO, number: int, regexp: Any) -> Iterator[LogMatch]:
    """The lines that match, from where the file is, at line `number`."""
    rest = b""
    while block := file.read(_BLOCK):
        block = rest + block
        # Up to the end of a line, unless there is none.
        end = block.rfind(b"\n") + 1 or len(block)
        block, rest = block[:end], block[end:]
        yield from _matches_in(block, number, regexp)
        number += block.count(b"\n")
    yield from _matches_in(rest, number, regexp)


def _matches_in(block: bytes, number: int, regexp: Any) -> Iterator[LogMatch]:
    position = 0
    while position < len(block):
        match = regexp.search(block, position)
        if match is None:
            return
        start = block.rfind(b"\n", 0, match.start()) + 1
        end = block.find(b"\n", match.start())
        end = len(block) if end < 0 else end
        if start >= len(block):
            return
        number += block.count(b"\n", position, match.start())
        yield LogMatch(number, _excerpt(block[start:end], match.start() - start))
        number += end < len(block)
        position = end + 1


def _excerpt(line: bytes, at: int) -> LogLine:
    """The line, or of a long one what is around the match."""
    begin = max(0, at - LONGEST_LINE // 2) if len(line) > LONGEST_LINE else 0
    shown = line[begin : begin + LONGEST_LINE]
    return LogLine(overwritten(shown).decode(errors="replace"), len(line) - len(shown))


def _coloured(text: str, escape: Callable[[str], str]) -> str:
    """A pattern for the text, in whose middle the colour may change."""
    between = _SGR if len(text) <= _COLOURED else ""
    return between.join([escape(letter) for letter in text])


def _compiled(query: LogQuery) -> Any:
    # Imported here, as most who import the service look for nothing.
    import re2

    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    try:
        if query.syntax is Syntax.TEXT:
            return re2.compile(f"(?i){_coloured(query.text, re2.escape)}", options)
        regexp = re2.compile(f"(?m){query.text}", options)
    except UnicodeEncodeError as error:
        raise BadPattern(f"{query.text!r} is not valid Unicode") from error
    except re2.error as error:
        reason = error.args[0].decode(errors="replace").replace(": (?m)", ": ")
        raise BadPattern(f"the pattern {query.text!r} can't be used: {reason}") from error
    if regexp.programsize > _LARGEST_PROGRAM:
        raise BadPattern(
            f"the pattern {query.text!r} is too large to be matched fast: repeat fewer times,"
            " or use * and +"
        )
    return regexp
