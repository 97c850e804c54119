"""Reads coverage in the form of lcov, line by line: `lcov.info`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pycurrent.reports.errors import ReportError
from pycurrent.reports.found_lines import FoundLines
from pycurrent.store.covered_lines import CoveredLines

LONGEST_LINE = 1 << 20
"""In bytes."""
BEGINNINGS = (b"TN:", b"SF:", b"#", b"VER:")
"""A report begins with one of these."""
_AT_ONCE = 1 << 16
_TOTALS = (b"LF", b"LH", b"BRF", b"BRH")


def read_lcov(
    read: Callable[[int], bytes], into: CoveredLines, resolve: Callable[[str], str]
) -> None:
    """Add the lines in a report. Blocks.

    Raises `ReportError` where it can't be read on: what stands before has been added.
    """
    file: _File | None = None
    for number, line in enumerate(_lines(read), 1):
        kind, _, rest = line.partition(b":")
        try:
            if kind == b"SF":
                file = _File(rest.decode(errors="replace"))
            elif kind == b"end_of_record":
                if file is not None:
                    file.end(into, resolve)
                file = None
            elif file is not None:
                file.line(kind, rest)
        except ValueError as error:
            raise ReportError(f"line {number}: {error}") from None
    if file is not None:
        raise ReportError(f"it breaks off within {file.name}")


class _File:
    """The lines of one file in the report."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._found = FoundLines()
        self._told = dict.fromkeys(_TOTALS, 0)

    def line(self, kind: bytes, rest: bytes) -> None:
        """Take a line; unknown ones are passed over. Raises `ValueError` for a malformed one."""
        if kind == b"DA":
            line, _, count = rest.partition(b",")
            count = count.partition(b",")[0].strip()
            self._found.add(_number(line), is_covered=count.isdigit() and bool(count.strip(b"0")))
        elif kind == b"BRDA":
            taken = rest.rpartition(b",")[2].strip()
            is_taken = taken.isdigit() and bool(taken.strip(b"0"))
            self._found.add_branch(_number(rest.partition(b",")[0]), is_taken=is_taken)
        elif kind in self._told:
            self._told[kind] = _number(rest)

    def end(self, into: CoveredLines, resolve: Callable[[str], str]) -> None:
        """Add them to those of the other files."""
        lines, covered, branches, taken = self._told.values()
        if self._found or lines:
            told = lines, min(covered, lines), branches, min(taken, branches)
            into.add(resolve(self.name), self._found.taken(told))


def _number(text: bytes) -> int:
    text = text.strip()
    if not text.isdigit() or len(text) > 9:
        raise ValueError(f"{text[:40].decode(errors='replace')!r} is not a number")
    return int(text)


def _lines(read: Callable[[int], bytes]) -> Iterator[bytes]:
    rest = b""
    while data := read(_AT_ONCE):
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            yield line.rstrip(b"\r")
        if len(rest) > LONGEST_LINE:
            raise ReportError(f"a line of it has more than {LONGEST_LINE >> 20} MiB")
    if rest:
        yield rest
