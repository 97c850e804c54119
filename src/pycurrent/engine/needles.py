"""Finds many needles in a text at once, each in all ways in which it may be quoted.

Two stages. One search by RE2, in linear time and whatever the number of needles, looks for their
first few characters (the *stems*); only where a stem is found is the text read character by
character, along a tree of all needles (a radix tree), by all readings of it at once. The stems and
not the needles are searched for, because the automaton of a long secret, a private key, would
outgrow its memory and be slower by a factor of 300.
"""

import re
import string
from collections.abc import Iterable
from typing import Any

import re2
from msgspec import Struct

from pycurrent.engine.encoding import encode
from pycurrent.engine.spellings import SPECIAL, is_open, line_break, readings, skips

_STEM = 8
_TAIL = 256
"""Bytes: what a stem takes at most, however it is quoted."""
_SHORTEST_WRAPPED = 8
_MEMORY = 1 << 28
_NEVER_QUOTED = frozenset((string.ascii_letters + string.digits).encode())
_GAP = rb"[\s\\nr=]*"  # where a long needle may be wrapped into lines
_DUMP = re.compile(rb"(?:[0-9a-fA-F]{2}[ :]){2}")


class Found(Struct, frozen=True):
    """The needle that begins at a place of a text, if any."""

    end: int
    """Of the longest needle that is there, or 0."""
    is_open: bool
    """True if more text could make it a needle, or a longer one."""
    is_mostly_there: bool
    """True if the text ends in more than half of a needle, and in 8 characters at least."""


class Needles:
    """Some needles. Immutable in effect, so that threads can share it without a lock."""

    def __init__(
        self, texts: Iterable[bytes], codes: Iterable[bytes] = (), *, thorough: bool = True
    ) -> None:
        """`codes` are of letters and digits for the most part, which nothing escapes.

        With `thorough` a needle is also found where it is wrapped into lines within its first
        characters; that is too dear for thousands of them.
        """
        texts, codes = frozenset(texts), frozenset(codes)
        ordered = sorted(texts | codes)
        self._tree = _Branch(ordered, 0, len(ordered), 0)
        self._stems = _compiled(_stems(texts, codes, thorough=thorough))
        self._beginnings = _compiled(_beginnings(ordered))

    def search(self, text: bytes, spans: list[tuple[int, int]], *, is_whole: bool) -> int:
        """Adds (start, end) of the longest needle at each start; they may overlap.

        Gives where the earliest one begins that more text could complete, or the end; the spans
        are those that begin before. With `is_whole` there will be no more text, and what is there
        of a needle counts as a needle if that is the greater part of it.
        """
        tail = len(text) if is_whole else max(0, len(text) - _TAIL)
        found = self._stems.search(text)
        while found is not None:
            start = found.start()
            undecided = self._look(text, start, spans, is_whole=is_whole)
            if undecided:
                return int(start)
            found = self._stems.search(text, start + 1)
        found = self._beginnings.search(text, tail)
        while found is not None:
            if self._tree.find(text, found.start()).is_open:
                return int(found.start())
            found = self._beginnings.search(text, found.start() + 1)
        return len(text)

    def _look(
        self, text: bytes, start: int, spans: list[tuple[int, int]], *, is_whole: bool
    ) -> bool:
        found = self._tree.find(text, start)
        if found.is_open and not is_whole:
            return True
        if found.is_open and found.is_mostly_there:
            spans.append((start, len(text)))
        elif found.end:
            spans.append((start, found.end))
        return False


def _compiled(patterns: set[bytes]) -> Any:  # a pattern of re2, which has no types
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1  # bytes, whatever they mean
    options.max_mem = _MEMORY
    options.never_capture = True
    return re2.compile(b"|".join(sorted(patterns)), options)


def _beginnings(needles: list[bytes]) -> set[bytes]:
    """Where a needle, or a way to write its first character, may begin: looked for at the end."""
    seconds: dict[bytes, set[bytes]] = {}
    for needle in needles:
        seconds.setdefault(needle[:1], set()).add(re2.escape(needle[1:2]))
    plain = {
        rb"%s(?:[%s\s\\%%&='\"+]|\z)" % (re2.escape(first), b"".join(sorted(after)))
        for first, after in seconds.items()
    }
    return plain | {rb"\\(?:[xuUN0-7]|\z)", rb"[%=](?:[0-9a-fA-F]|\z)", rb"&(?:[#a-zA-Z]|\z)"}


def _stems(texts: frozenset[bytes], codes: frozenset[bytes], *, thorough: bool) -> set[bytes]:
    """Patterns of what a needle can begin with; they may find more, but not less."""
    stems = {_escapes(chr(first)) for first in {text[0] for text in texts} & _NEVER_QUOTED}
    for needle in texts | codes:
        if not thorough and needle.isalnum():
            stems.add(needle[:_STEM])
            continue
        gap = _GAP if thorough and len(needle) >= _SHORTEST_WRAPPED else b""
        text = needle[: 4 * _STEM].decode(errors="surrogateescape")[:_STEM]
        stems.add(_stem(text, gap, exactly=thorough and _DUMP.match(needle) is None))
    return stems


def _stem(text: str, gap: bytes, *, exactly: bool) -> bytes:
    stem = b""
    for char in reversed(text):
        literal = re2.escape(encode(char))
        if ord(char) in _NEVER_QUOTED:
            stem = literal + gap + stem if stem else literal
            continue
        if char == " ":
            literal = rb"[\s+][\s\\]*"
        elif char == "\n":
            literal = rb"[\r\n][\s\\]*"
        others = _escapes(char) if exactly else rb"[\\%&='\"]"
        stem = b"(?:%s|%s)" % (literal + gap + stem, others)
    return stem


def _escapes(char: str) -> bytes:
    """How a character is written by what quotes or escapes it; what follows it is left open."""
    raw, number = encode(char), ord(char)
    hexes = f"{raw[0]:02x}|{number:02x}" if number < 256 else f"{raw[0]:02x}"
    octal = f"{raw[0]:03o}|{raw[0]:o}|{number:03o}" if number < 256 else f"{raw[0]:03o}"
    unit = char.encode("utf-16-be", "surrogatepass").hex()[:4]
    ways = [
        rf"(?i:\\(?:x(?:{hexes})|u{unit}|u\{{0*{number:x}\}}|u{number:08x}|{octal}))",
        rf"(?i:%(?:25)*{raw[0]:02x}|={raw[0]:02x}|&(?:amp;)*(?:#0*{number};|#x0*{number:x};))",
    ]
    if number not in _NEVER_QUOTED:
        ways += [r"&(?:amp;)*[a-zA-Z]", r"\\N\{", r"\\[^0-9A-Za-z]", r"\\[abefnrtv]"]
    if char == "%":
        ways.append("%%")
    if char in "'\"" or number < 32:
        ways += [r"''", r'""', r"'\\", r"""'"'"'""", r"'\$'"]
    return "|".join(ways).encode()


class _Branch:
    """The needles of a sorted list that have a beginning in common. Grows as it is used."""

    __slots__ = ("_children", "_high", "_low", "_needles", "is_long", "is_needle", "length", "own")

    def __init__(self, needles: list[bytes], low: int, high: int, depth: int) -> None:
        first, last = needles[low], needles[high - 1]
        common = _common(first, last)
        self.own = first[depth:common]
        """The text that it adds to the branch from which it comes."""
        self.length = common
        self.is_needle = len(first) == self.length
        self.is_long = max(len(first), len(last)) >= _SHORTEST_WRAPPED
        self._needles = needles
        self._low = low + self.is_needle
        self._high = high
        self._children: dict[int, _Branch] | None = None

    @property
    def children(self) -> "dict[int, _Branch]":
        """By their first byte."""
        if self._children is None:
            grown: dict[int, _Branch] = {}
            low = self._low
            while low < self._high:
                byte, high = self._needles[low][self.length], low + 1
                while high < self._high and self._needles[high][self.length] == byte:
                    high += 1
                grown[byte] = _Branch(self._needles, low, high, self.length)
                low = high
            self._children = grown  # at once: another thread may be doing the same
        return self._children

    def find(self, text: bytes, start: int) -> Found:
        """Find the needle of this tree that begins at `start`."""
        return _Walk(text).along(self, start)


def _common(first: bytes, last: bytes) -> int:
    """How many bytes the two have in common at their beginning."""
    for count, (one, other) in enumerate(zip(first, last, strict=False)):
        if one != other:
            return count
    return min(len(first), len(last))


_Place = tuple[_Branch, int, int, bool]
"""A branch, how much of its own text has been read, how far the text, and whether something that
stands for nothing was the last that was read."""


class _Walk:
    """Reads a text from one place on in all ways at once, as long as it may become a needle."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._todo: list[_Place] = []
        self._seen: set[_Place] = set()
        self._end = 0
        self._open = False
        self._mostly = False

    def along(self, tree: _Branch, start: int) -> Found:
        self._go(tree, 0, start)
        while self._todo:
            self._step(*self._todo.pop())
        return Found(self._end, self._open, self._mostly)

    def _go(self, branch: _Branch, read: int, at: int, *, skipped: bool = False) -> None:
        place = (branch, read, at, skipped)
        if place not in self._seen:
            self._seen.add(place)
            self._todo.append(place)

    def _step(self, branch: _Branch, read: int, at: int, skipped: bool) -> None:
        text, own = self._text, branch.own
        if read < len(own):
            special = SPECIAL.search(text, at, at + len(own) - read)
            plain = min(at + len(own) - read, len(text)) if special is None else special.start()
            if not own.startswith(text[at:plain], read):
                return
            read, skipped, at = read + plain - at, skipped and plain == at, plain
        if read == len(own):
            if branch.is_needle and not skipped:
                self._end = max(self._end, at)
            if not branch.children:
                return
        if at == len(text):
            self._leave_open(branch, read)
        elif SPECIAL.match(text, at):
            self._read(branch, read, at, skipped=skipped)
        elif child := branch.children.get(text[at]) if read == len(own) else None:
            self._go(child, 1, at + 1)

    def _read(self, branch: _Branch, read: int, at: int, *, skipped: bool) -> None:
        if is_open(self._text, at):
            self._leave_open(branch, read)
        for value, end in readings(self._text, at):
            after = _after(branch, read, value)
            if after is not None:
                self._go(*after, end)
        if skipped or branch.length - len(branch.own) + read == 0:
            return
        for end in skips(self._text, at):
            self._go(branch, read, end, skipped=True)
        if branch.is_long:
            wrapped = line_break(self._text, at)
            if wrapped is not None:
                self._go(branch, read, wrapped, skipped=True)

    def _leave_open(self, branch: _Branch, read: int) -> None:
        there = branch.length - len(branch.own) + read
        self._open = True
        self._mostly = self._mostly or (there >= _STEM and there * 2 > branch.length)


def _after(branch: _Branch, read: int, value: bytes) -> tuple[_Branch, int] | None:
    """The place in the tree behind these bytes, if they are there."""
    for byte in value:
        if read < len(branch.own):
            if branch.own[read] != byte:
                return None
            read += 1
        else:
            child = branch.children.get(byte)
            if child is None:
                return None
            branch, read = child, 1
    return branch, read
