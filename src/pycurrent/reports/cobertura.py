"""Reads coverage in Cobertura's XML, as coverage.py, gcovr, Istanbul and others write it.

Each class has its lines, and each of its methods has them once more; Istanbul's methods have the
line where they are declared, which is not one of the class. So those of the class count, and those
of methods only where the class has none. The rates and sums in attributes are what a tool makes of
the lines, by rules of its own: they count only where a report has no lines at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

from pycurrent.reports.errors import OtherReport, ReportError
from pycurrent.reports.found_lines import FoundLines
from pycurrent.reports.xml import parsed, xml_parser
from pycurrent.store.covered_lines import CoveredLines, FileLines

DEEPEST = 100
_MOST_SOURCES = 100
_LONGEST_NAME = 100
_CONDITIONS = re.compile(r"\((\d{1,6})/(\d{1,6})\)")
_TOTALS = ("lines-valid", "lines-covered", "branches-valid", "branches-covered")


class Resolve(Protocol):
    """Gives a file of the source one name, whatever the report calls it."""

    def __call__(self, name: str, listed: list[str], /) -> str: ...


def read_cobertura(
    read: Callable[[int], bytes], into: CoveredLines, resolve: Resolve, name: str
) -> None:
    """Add the lines in a report, which is called `name`. Blocks.

    Raises `OtherReport` if it is other XML, `ReportError` where it can't be read on: what stands
    before has been added.
    """
    _Reader(into, resolve).read(read, name)


class _Reader:
    """Reads one report."""

    def __init__(self, into: CoveredLines, resolve: Resolve) -> None:
        parser = xml_parser()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        self._parser = parser
        self._into = into
        self._resolve = resolve
        self._above: list[str] = []
        """The names of the elements that are open."""
        self._root: dict[str, str] = {}
        self._sources: list[str] = []
        self._file: str | None = None
        """The file of the class that is open."""
        self._of_class = FoundLines()
        self._of_methods = FoundLines()
        self._in_method = False
        self._has_lines = False
        self._classes = 0

    def read(self, read: Callable[[int], bytes], name: str) -> None:
        for _ in parsed(self._parser, read, self._so_far):
            pass
        if not self._has_lines:
            self._into.add(name, FileLines(told=self._told()))

    def _so_far(self) -> str:
        return f", after {self._classes} whole classes" if self._above or self._classes else ""

    def _told(self) -> tuple[int, int, int, int]:
        """The sums in the attributes of the report."""
        told = [self._root.get(total, "") for total in _TOTALS]
        if not _is_number(told[0]) or not _is_number(told[1]):
            raise ReportError("it has no lines, and does not say how many there are")
        lines, covered, branches, taken = (int(text) if _is_number(text) else 0 for text in told)
        return lines, min(covered, lines), branches, min(taken, branches)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if ":" in tag:
            tag = tag.rpartition(":")[2]
        above = self._above
        if not above:
            self._begin(tag, attributes)
        elif tag == "line":
            if self._file is not None:
                self._line(attributes)
        elif tag == "class":
            self._file = attributes.get("filename") or attributes.get("name") or ""
            self._of_class, self._of_methods = FoundLines(), FoundLines()
        elif tag == "method":
            self._in_method = True
        elif tag == "source" and above[-1] == "sources":
            if len(self._sources) < _MOST_SOURCES:
                self._sources.append("")
                self._parser.CharacterDataHandler = self._source
        elif tag == "project" and len(above) == 1:
            raise OtherReport("it is a report of coverage in Clover's form, not in Cobertura's")
        above.append(tag)
        if len(above) > DEEPEST:
            raise ReportError(f"its elements are nested more than {DEEPEST} deep")

    def _begin(self, tag: str, attributes: dict[str, str]) -> None:
        if tag != "coverage":
            raise OtherReport(f"it is not a report of coverage, but <{tag[:_LONGEST_NAME]}>")
        self._root = attributes

    def _source(self, text: str) -> None:
        self._sources[-1] = f"{self._sources[-1]}{text}"[:4096]

    def _line(self, attributes: dict[str, str]) -> None:
        number, hits = attributes.get("number", ""), attributes.get("hits", "")
        if not _is_number(number):
            return
        found = self._of_methods if self._in_method else self._of_class
        found.add(int(number), is_covered=hits.isdecimal() and bool(hits.strip("0")))
        if (told := attributes.get("condition-coverage")) is not None:
            conditions = _CONDITIONS.search(told)
            if conditions is not None:
                found.add_branches(int(number), int(conditions[2]), int(conditions[1]))

    def _end(self, tag: str) -> None:
        if ":" in tag:
            tag = tag.rpartition(":")[2]
        self._above.pop()
        if tag == "method":
            self._in_method = False
        elif tag == "source":
            self._parser.CharacterDataHandler = None
        elif tag == "class" and self._file is not None:
            found = self._of_class or self._of_methods
            if found:
                self._has_lines = True
                listed = [source.strip() for source in self._sources]
                self._into.add(self._resolve(self._file, listed), found.taken())
            self._classes += 1
            self._file = None


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) < 10
