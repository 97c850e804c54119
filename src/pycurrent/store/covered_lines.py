"""The lines of the source that tests have run, by file, and how they are put together.

Of each file there are two sets, of the lines that could be run and of those that were, and of
each line with branches how many there are and which of them were taken. Several reports
are united, so it does not matter in which order they come, or how often. Sets are bits in bytes,
the bit n for the line n: a file of 10,000 lines takes 3 kB.

Of some files only numbers are told, no lines: they are used where no report has the lines.
"""

import zlib
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from pycurrent.store.coverage import Coverage, FileCoverage

LAST_LINE = 1_000_000
"""A line further down does not count: no source has it."""
MOST_BRANCHES = 1_000
"""Of one line; those behind don't count."""
MOST_BYTES = 128 << 20
"""So much memory may the lines of a job take, about: 400,000 small files, or 800,000 lines with
branches.
"""

_LEVEL = 6
_FILE = 300
_BRANCHES = 160
"""Bytes in memory, for a file and for a line with branches."""

Branches = dict[int, tuple[int, bytes, int]]
"""By the line: how many there are, the set of those that were taken, by their order, and how many
were taken at least, where a report does not say which.
"""


class LineSet:
    """A set of numbers of lines, that grows."""

    __slots__ = ("_bits",)

    def __init__(self) -> None:
        self._bits = bytearray()

    def add(self, number: int) -> None:
        """Add a number, if there can be such a line."""
        if not 0 < number <= LAST_LINE:
            return
        at = number >> 3
        if at >= len(self._bits):
            self._bits.extend(bytes(at + 1 - len(self._bits)))
        self._bits[at] |= 1 << (number & 7)

    def __bytes__(self) -> bytes:
        return bytes(self._bits)


class FileLines(Struct, frozen=True, array_like=True):
    """The findings about one file of source."""

    lines: bytes = b""
    """The set of those that could be run."""
    covered: bytes = b""
    """The set of those that were."""
    branches: Branches = {}
    told: tuple[int, int, int, int] = (0, 0, 0, 0)
    """How many lines, lines that were run, branches, branches that were taken there are, as far as
    that is said without the lines.
    """

    def __or__(self, other: "FileLines") -> "FileLines":
        """The findings of both."""
        a, b = self.told, other.told
        return FileLines(
            _united(self.lines, other.lines),
            _united(self.covered, other.covered),
            _united_branches(self.branches, other.branches),
            (max(a[0], b[0]), max(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])),
        )

    def figure(self) -> Coverage:
        """How many there are, and how many were run."""
        lines, covered, branches, taken = self.told
        if self.lines:
            lines, covered = _count(self.lines), _count(self.covered)
        if self.branches:
            branches = sum(count for count, *_ in self.branches.values())
            taken = sum(max(_count(which), least) for _, which, least in self.branches.values())
        return Coverage(lines, min(covered, lines), branches, min(taken, branches))

    @property
    def size(self) -> int:
        """The bytes that it takes in memory, about."""
        return _FILE + len(self.lines) + len(self.covered) + _BRANCHES * len(self.branches)


_decoder = msgspec.msgpack.Decoder(dict[str, FileLines])
_encoder = msgspec.msgpack.Encoder()


class CoveredLines:
    """The lines of many files."""

    def __init__(self, files: dict[str, FileLines] | None = None) -> None:
        self._files = {} if files is None else files
        self._size = sum(map(_size, self._files.items()))

    @classmethod
    def of_bytes(cls, data: bytes) -> "CoveredLines":
        """Read what `bytes` gives; nothing, where that was removed. Raises `ValueError` if it is
        damaged.
        """
        if not data:
            return cls()
        try:
            return cls(_decoder.decode(zlib.decompress(data)))
        except (zlib.error, msgspec.MsgspecError, TypeError) as error:
            raise ValueError(str(error)) from error

    def __bytes__(self) -> bytes:
        return zlib.compress(_encoder.encode(self._files), _LEVEL)

    def add(self, path: str, found: FileLines) -> None:
        """Unite the findings about a file with those that are there. Raises `ValueError` if they
        get too large: then nothing has changed.
        """
        before = self._files.get(path)
        after = found if before is None else before | found
        grown = _size((path, after)) - (0 if before is None else _size((path, before)))
        if self._size + grown > MOST_BYTES:
            raise ValueError(f"its lines take more than {MOST_BYTES >> 20} MiB")
        self._files[path] = after
        self._size += grown

    def unite(self, other: "CoveredLines") -> None:
        """Add all of others, as `add` does."""
        for path, found in other._files.items():
            self.add(path, found)

    def figure(self) -> Coverage:
        """How many lines there are, and how many were run."""
        whole = Coverage()
        for found in self._files.values():
            whole += found.figure()
        return whole

    def files(self) -> Iterator[FileCoverage]:
        """The figure of each file."""
        for path, found in self._files.items():
            yield FileCoverage(path, found.figure())


def _size(file: tuple[str, FileLines]) -> int:
    return len(file[0]) + file[1].size


def _count(bits: bytes) -> int:
    return int.from_bytes(bits, "little").bit_count()


def _united(a: bytes, b: bytes) -> bytes:
    if not a or not b:
        return a or b
    whole = int.from_bytes(a, "little") | int.from_bytes(b, "little")
    return whole.to_bytes(max(len(a), len(b)), "little")


def _united_branches(a: Branches, b: Branches) -> Branches:
    if not a or not b:
        return a or b
    united = dict(a)
    for line, (count, taken, least) in b.items():
        others, before, at_least = united.get(line, (0, b"", 0))
        united[line] = max(count, others), _united(taken, before), max(least, at_least)
    return united
