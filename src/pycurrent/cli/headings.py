"""Shows the groups of a log on a terminal, which folds nothing: by their headings."""

from __future__ import annotations

import re

_GROUP = re.compile(rb"(\n)(?:::group::|##\[group\])")
_END = re.compile(rb"\n(?:::endgroup::|##\[endgroup\])[ \r]*(?=\n|\Z)")
_SECTION = re.compile(
    rb"(?:\x1b\[0K)?section_(start|end):\d{1,15}:[\w.-]+(?:\[[^\]\n]*\])?\r(?:\x1b\[0K)?"
)
_SIGN = "▾ ".encode()
_LONGEST_HELD = 4096


class Headings:
    """A stream in which markers of groups are what people read of them. A line that may have one
    is held back until it has ended.
    """

    def __init__(self) -> None:
        self._held = b"\n"  # a marker stands behind the end of a line
        self._is_first = True

    def feed(self, piece: bytes) -> bytes:
        """The next part of the stream."""
        text = self._held + piece
        begin = text.rfind(b"\n")
        line = text[begin + 1 :]
        is_held = line.startswith((b":", b"#")) or b"\x1b" in line or b"section_" in line
        cut = len(text)
        if not line or (is_held and len(line) <= _LONGEST_HELD):
            cut = begin
        self._held = text[cut:]
        return self._shown(text[:cut])

    def flush(self) -> bytes:
        """The rest: the stream has ended."""
        rest, self._held = self._held, b""
        return self._shown(rest)

    def _shown(self, text: bytes) -> bytes:
        if not text:
            return text
        text = _SECTION.sub(lambda found: _SIGN if found[1] == b"start" else b"", text)
        text = _END.sub(b"", _GROUP.sub(rb"\1" + _SIGN, text))
        if self._is_first:
            self._is_first = False
            text = text.removeprefix(b"\n")
        return text
