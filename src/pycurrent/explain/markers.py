r"""Markers in logs: lines by which tools for GitHub's and GitLab's runners mark up what they print.

    ::error file=a.py,line=3,title=E1::message     also warning, notice; an annotation
    ##[error]message                               the same without a place, as Azure's have it
    ::group::name ... ::endgroup::                 also ##[group], ##[endgroup]; lines to fold
    \e[0Ksection_start:TIME:name[collapsed=true]\r\e[0Kheading ... \e[0Ksection_end:TIME:name\r\e[0K
    ::stop-commands::TOKEN ... ::TOKEN::           between them nothing counts

They count at the beginning of a line; a section of GitLab's, of which one may end where another one
begins, anywhere. A log is read in blocks, each by two searches for what markers begin with: 100 MB
take about 0.2 s.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import unquote

from msgspec import Struct

from pycurrent.explain.paths import repository_path
from pycurrent.store import Annotation, AnnotationCounts, AnnotationLevel

if TYPE_CHECKING:
    from pycurrent.engine import LogSource

MOST_ANNOTATIONS = 1_000
MOST_GROUPS = 1_000
"""So many of a log are kept, the first ones."""
LARGEST = 64 << 20
"""In bytes: so much of a log is read to explain its job."""

_MOST_PLACES = 50_000
"""So many places that look like a marker are looked at: a log may be full of them."""
_BLOCK = 1 << 20
_LONGEST_LINE = 1 << 16
_LONGEST_MESSAGE = 2_000
_LONGEST_NAME = 300
_AT_BEGINNING = re.compile(rb"\n(?:::|##\[)")
_IN_LINE = b"section_"
_COMMAND = re.compile(rb"::([A-Za-z][\w-]*)(?: ([^\n]*?))?::([^\n]*)")
_OLD = re.compile(rb"##\[(error|warning|group|endgroup)\]([^\n]*)")
_SECTION = re.compile(
    rb"section_(start|end):\d{1,15}:([\w.-]+)(\[[^\]\n]*\])?\r(?:\x1b\[0K)?([^\n]*)"
)
_NEXT_SECTION = re.compile(rb"(?:\x1b\[0K)?section_(?:start|end):")
_RESUME = re.compile(rb"::([\w-]+)::\s*(?:\n|\Z)")
_COLOUR = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")
_LEVELS = {
    b"error": AnnotationLevel.ERROR,
    b"warning": AnnotationLevel.WARNING,
    b"notice": AnnotationLevel.NOTICE,
}


class LogGroup(Struct):
    """Lines of a log that belong together. Lines are counted from 0."""

    name: str
    first: int
    """Its heading."""
    end: int | None
    """The first line behind it; None while it has not ended."""
    collapsed: bool
    """True if it is to be shown folded."""


class Markers:
    """The markers in a log, which may be growing. From one thread at a time."""

    def __init__(self) -> None:
        self.annotations: list[Annotation] = []
        self.groups: list[LogGroup] = []
        self.changes = 0
        """It grows whenever there is a new group or annotation, or a group has ended."""
        self._levels: dict[AnnotationLevel, int] = dict.fromkeys(AnnotationLevel, 0)
        # The end of a line and what follows it: a marker stands behind one.
        self._rest = b"\n"
        self._line = 0
        """The number of the line that begins behind the first byte of the rest."""
        self._places = 0
        self._open: list[tuple[LogGroup, bytes | None]] = []
        """The groups that have not ended, those of GitLab's with their names."""
        self._token: bytes | None = None
        """The word that ends what does not count."""

    @property
    def counts(self) -> AnnotationCounts:
        """The numbers of all annotations, those that are not kept too."""
        return AnnotationCounts(*(self._levels[level] for level in _LEVELS.values()))

    def feed(self, block: bytes) -> None:
        """The next part of the log. A line counts once its end is there."""
        data = self._rest + block
        end = data.rfind(b"\n")
        if end == 0:
            # Of a very long line the beginning tells; a section in its middle is missed.
            self._rest = data if len(data) <= _LONGEST_LINE else data[: _LONGEST_LINE // 2]
            return
        self._rest = data[end:]
        at, line = 1, self._line
        for place in self._found(data, end):
            line += data.count(b"\n", at, place)
            at = max(at, place)
            self._read(data, place, line)
        self._line = line + data.count(b"\n", at, end) + 1

    def end(self) -> None:
        """The log has ended: its last line counts, too, and nothing is fed any more."""
        self.feed(b"\n")

    def _found(self, data: bytes, end: int) -> list[int]:
        """The places of what may be a marker, in order."""
        left = _MOST_PLACES - self._places
        found = _AT_BEGINNING.finditer(data, 0, end)
        places = [match.start() + 1 for match in islice(found, left)]
        at = data.find(_IN_LINE, 0, end)
        while at >= 0 and len(places) < left:
            places.append(at)
            at = data.find(_IN_LINE, at + len(_IN_LINE), end)
        self._places += len(places)
        places.sort()
        return places

    def _read(self, data: bytes, place: int, line: int) -> None:
        if self._token is not None:
            found = _RESUME.match(data, place)
            if found is not None and found[1] == self._token:
                self._token = None
        elif data.startswith(b"::", place):
            if (found := _COMMAND.match(data, place)) is not None:
                self._obey(found[1], found[2] or b"", found[3], line)
        elif data.startswith(b"##[", place):
            if (found := _OLD.match(data, place)) is not None:
                self._obey(found[1], b"", found[2].replace(b"%", b"%25"), line)
        elif (found := _SECTION.match(data, place)) is not None:
            self._section(found, line)

    def _obey(self, word: bytes, properties: bytes, text: bytes, line: int) -> None:
        word = word.lower()
        level = _LEVELS.get(word)
        if level is not None:
            self._annotate(level, dict(_properties(properties)), _unescaped(text), line)
        elif word == b"group":
            # They are not nested: a new one ends another.
            self._end_groups(line, None)
            self._begin(LogGroup(_name(_unescaped(text)), line, None, collapsed=True), None)
        elif word == b"endgroup":
            self._end_groups(line + 1, None)
        elif word == b"stop-commands" and (token := text.strip()):
            self._token = token

    def _annotate(
        self, level: AnnotationLevel, given: dict[str, str], message: str, line: int
    ) -> None:
        self._levels[level] += 1
        if len(self.annotations) >= MOST_ANNOTATIONS:
            return
        self.changes += 1
        named = given.get("file", "")
        path = repository_path(named)
        message = _COLOUR.sub("", message).strip() or "(no message)"
        if path is None and named.strip():
            message = f"{named.strip()}: {message}"
        first = None if path is None else _number(given.get("line", ""))
        last = _number(given.get("endLine", ""))
        self.annotations.append(
            Annotation(
                path,
                first,
                message[:_LONGEST_MESSAGE],
                level=level,
                column=None if first is None else _number(given.get("col", "")),
                end_line=last if first is not None and last is not None and last > first else None,
                title=_name(given["title"]) if given.get("title", "").strip() else None,
                log_line=line + 1,
            )
        )

    def _section(self, found: re.Match[bytes], line: int) -> None:
        kind, name, options, heading = found.groups()
        following = _NEXT_SECTION.search(heading)
        if following is not None:
            heading = heading[: following.start()]
        if kind == b"start":
            text = _name(heading.decode(errors="replace")) or _name(name.decode())
            is_collapsed = options is not None and b"collapsed=true" in options
            self._begin(LogGroup(text, line, None, collapsed=is_collapsed), name)
        elif any(of == name for _, of in self._open):
            # The rest of its line is another section's, or the end of the line.
            self._end_groups(line if heading.strip() or following else line + 1, name)

    def _begin(self, group: LogGroup, name: bytes | None) -> None:
        if len(self.groups) < MOST_GROUPS:
            self.changes += 1
            self.groups.append(group)
            self._open.append((group, name))

    def _end_groups(self, line: int, name: bytes | None) -> None:
        """End the last group of this name, with all in it; of GitHub's only the last one."""
        if name is None and not (self._open and self._open[-1][1] is None):
            return
        while self._open:
            group, of = self._open.pop()
            group.end = max(line, group.first + 1)
            self.changes += 1
            if of == name:
                return


def read_markers(log: LogSource) -> Markers:
    """The markers in the log of a job, of a long one those at its beginning. Blocks.

    Raises OSError if it can't be read.
    """
    markers = Markers()
    with log.open() as file:
        for block in _blocks(file):
            markers.feed(block)
    markers.end()
    return markers


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    for _ in range(LARGEST // _BLOCK):
        block = file.read(_BLOCK)
        if not block:
            return
        yield block


def _properties(text: bytes) -> Iterator[tuple[str, str]]:
    for part in text.split(b","):
        name, is_one, value = part.partition(b"=")
        if is_one:
            yield name.strip().decode(errors="replace"), _unescaped(value)


def _unescaped(text: bytes) -> str:
    """A text in which `%0A` stands for the end of a line, and so on."""
    return unquote(text.decode(errors="replace")) if b"%" in text else text.decode(errors="replace")


def _name(text: str) -> str:
    return " ".join(_COLOUR.sub("", text).split())[:_LONGEST_NAME]


def _number(text: str) -> int | None:
    text = text.strip()
    is_number = text.isascii() and text.isdecimal() and len(text) < 10
    return (int(text) if is_number else 0) or None
