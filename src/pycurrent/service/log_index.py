"""Where the lines of a log are: windows of a log of millions of lines, without reading it all.

The offset of each 256th line is kept: 4 KB for 100,000 lines. So is the colour that holds there,
as a log sets a colour once for many lines.
"""

from __future__ import annotations

import codecs
import re
import threading
from array import array
from dataclasses import dataclass
from typing import BinaryIO

from pycurrent.engine.follow import LogSource

LINES_PER_ENTRY = 256
LONGEST_LINE = 16 * 1024
"""In bytes: of longer lines only so much is shown."""
_LARGEST_COST = 4 * LONGEST_LINE
"""In bytes: no line counts for more of a window. It is passed over faster than it is shown."""
LARGEST_WINDOW = 1 << 20
"""In bytes: a window with long lines has fewer of them than were asked for."""

_ENTRY = re.compile(rb"(?:[^\n]*+\n){%d}" % LINES_PER_ENTRY)
_BLOCK = 1 << 20
_LONGEST_STYLE = 256
_SGR = re.compile(rb"\x1b\[([0-9;:]*)m")
"""Select Graphic Rendition (ECMA-48, 8.3.117): what sets colours."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line as a terminal would show it when all of it has come."""

    text: str
    """Without its end; control sequences included."""
    cut: int
    """How many of its bytes are left out, not counting overwritten ones and its end."""


@dataclass(frozen=True, slots=True)
class LogWindow:
    """Some lines of a log that may be growing."""

    first: int
    """The number of the first one: 0 is that at the beginning of the log."""
    lines: tuple[LogLine, ...]
    style: str
    """The control sequences that set the colours in which the first line begins."""
    total: int
    """How many lines the log has, one that has not ended included."""
    complete: int
    """How many lines have ended: they don't change any more."""
    size: int
    """Of the log, in bytes."""
    markers: int = 0
    """It grows with the markers of the log: see `Markers.changes`."""

    @property
    def next(self) -> int:
        """The line to go on from: the first one that is not here, or may still change."""
        return min(self.first + len(self.lines), self.complete)


@dataclass(frozen=True, slots=True)
class _Known:
    """How far a log has been looked through."""

    size: int = 0
    complete: int = 0
    last_line: int = 0
    """Where the line begins that has not ended."""

    @property
    def total(self) -> int:
        return self.complete + (self.last_line < self.size)


class LogIndex:
    """The index of one log. From any thread; to extend it is the work of one at a time."""

    def __init__(self, log: LogSource) -> None:
        self.log = log
        self._extending = threading.Lock()
        # Replaced as a whole, after what it counts on is in the lists, which only grow.
        self._known = _Known()
        self._offsets = array("q", [0])
        self._styles: dict[int, bytes] = {}
        self._style = b""
        from pycurrent.explain.markers import Markers  # few who run an engine read logs

        self.markers = Markers()

    @property
    def size(self) -> int:
        """How many bytes of the log are known."""
        return self._known.size

    @property
    def complete(self) -> int:
        """How many lines have ended, of what is known."""
        return self._known.complete

    @property
    def total(self) -> int:
        """How many lines are known."""
        return self._known.total

    def extend(self) -> None:
        """Look through what is new. A million lines take about 0.05 s. Raises OSError."""
        with self._extending, self.log.open() as file:
            file.seek(self._known.size)
            while block := file.read(_BLOCK):
                self.markers.feed(block)
                self._known = self._scan(block, self._known)

    def _scan(self, block: bytes, known: _Known) -> _Known:
        base, complete, position = known.size, known.complete, 0
        wanted = LINES_PER_ENTRY - complete % LINES_PER_ENTRY
        while (end := _end_of_lines(block, position, wanted)) is not None:
            self._style = style_after(self._style, block[position:end])
            if self._style:
                self._styles[len(self._offsets)] = self._style
            self._offsets.append(base + end)
            complete += wanted
            position, wanted = end, LINES_PER_ENTRY
        self._style = style_after(self._style, block[position:])
        complete += block.count(b"\n", position)
        newline = block.rfind(b"\n")
        last_line = known.last_line if newline < 0 else base + newline + 1
        return _Known(base + len(block), complete, last_line)

    def offset(self, line: int) -> tuple[int, int]:
        """Where to begin to read for a line: an offset, and the number of the line there."""
        entry = max(0, min(line // LINES_PER_ENTRY, self._known.complete // LINES_PER_ENTRY))
        return self._offsets[entry], entry * LINES_PER_ENTRY

    def window(self, first: int, count: int) -> LogWindow:
        """At most `count` lines from `first` on, of what is known. Raises OSError."""
        known = self._known
        first = max(0, min(first, known.total))
        offset, number = self.offset(first)
        style = self._styles.get(number // LINES_PER_ENTRY, b"")
        lines: list[LogLine] = []
        left = LARGEST_WINDOW
        with self.log.open() as file:
            file.seek(offset)
            for _ in range(first - number):
                style = _skip_line(file, style)
            for _ in range(min(count, known.total - first)):
                begin = file.tell()
                line = _read_line(file)
                # All bytes read count, although fewer of them may be shown.
                left -= min(file.tell() - begin, _LARGEST_COST)
                if left < 0 and lines:
                    break
                lines.append(line)
        return LogWindow(
            first,
            tuple(lines),
            style.decode("ascii"),
            known.total,
            known.complete,
            known.size,
            self.markers.changes,
        )


def _end_of_lines(block: bytes, position: int, count: int) -> int | None:
    """Where so many lines from there on end; None if there are fewer."""
    if count == LINES_PER_ENTRY:
        # Four times as fast as to look for each end.
        found = _ENTRY.match(block, position)
        return None if found is None else found.end()
    for _ in range(count):
        position = block.find(b"\n", position) + 1
        if position == 0:
            return None
    return position


def style_after(style: bytes, data: bytes) -> bytes:
    """The sequences that set the colours after some data, if `style` did before it."""
    if b"\x1b[" not in data:
        return style
    # Anything before the last plain reset makes no difference: skip it fast.
    reset = max(data.rfind(b"\x1b[0m"), data.rfind(b"\x1b[m"))
    if reset >= 0:
        style, data = b"", data[reset + 3 :]
    for found in _SGR.finditer(data):
        resets = found[1] in {b"", b"0"} or found[1].startswith(b"0;")
        if resets or not style.endswith(found[0]):
            style = found[0] if resets else _shortened(style + found[0])
    return _shortened(style.removeprefix(b"\x1b[0m").removeprefix(b"\x1b[m"))


def _shortened(style: bytes) -> bytes:
    """The last sequences of it, as many as are kept."""
    if len(style) <= _LONGEST_STYLE:
        return style
    begin = style.find(b"\x1b", len(style) - _LONGEST_STYLE)
    return style[begin:] if begin >= 0 else b""


def _skip_line(file: BinaryIO, style: bytes) -> bytes:
    """The colours that hold after it."""
    while part := file.readline(_BLOCK):
        style = style_after(style, part)
        if part.endswith(b"\n"):
            break
    return style


def _read_line(file: BinaryIO) -> LogLine:
    line = file.readline(LONGEST_LINE)
    cut = 0
    if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
        line, cut = _read_long_line(file, line)
    return LogLine(overwritten(line.removesuffix(b"\n")).decode(errors="replace"), cut)


def _read_long_line(file: BinaryIO, head: bytes) -> tuple[bytes, int]:
    """The beginning of a long line, and how many bytes follow it; of one that overwrites itself
    the end: a progress bar has written all of its life into one line.
    """
    begin = file.tell() - len(head)
    size, tail, last = len(head), head, 0
    while part := file.readline(_BLOCK):
        seen = tail + part
        passed, tail = seen[:-LONGEST_LINE], seen[-LONGEST_LINE:]
        if back := passed.rfind(b"\r") + 1:
            last = size + len(part) - len(seen) + back
        size += len(part)
        if part.endswith(b"\n"):
            break
    end = tail.rstrip(b"\r\n")
    size -= len(tail) - len(end)
    if (back := end.find(b"\r") + 1) > 0:
        return end[back:], 0
    if last > 0:
        # The text that has overwritten the line is itself too long to show.
        head = _read_at(file, begin + last)
    shown = _whole_letters(head[: size - last])
    return shown, size - last - len(shown)


def _read_at(file: BinaryIO, offset: int) -> bytes:
    """As much as is shown of a line, from somewhere else than where the file is read."""
    here = file.tell()
    file.seek(offset)
    data = file.read(LONGEST_LINE)
    file.seek(here)
    return data


def _whole_letters(data: bytes) -> bytes:
    """Without the first bytes of a letter that it ends with."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    decoder.decode(data)
    begun, _ = decoder.getstate()
    return data.removesuffix(begun)


def overwritten(line: bytes) -> bytes:
    r"""The visible rest of a line in which `\r` goes back to the beginning."""
    line = line.rstrip(b"\r")
    if b"\r" not in line:
        return line
    # From the end on: each part shows what those behind it have left of it.
    shown: list[bytes] = []
    width = 0
    for part in reversed(line.split(b"\r")):
        if b"\x1b" in part:
            # With control sequences in it, columns are not bytes: most such parts erase the line.
            return b"".join(shown) or part
        if len(part) > width:
            shown.append(part[width:])
            width = len(part)
    return b"".join(shown)
