"""Reads JUnit XML, as the tools of many languages write it, one test after the other.

There is no standard: each tool has attributes and elements of its own, and leaves out others. The
parts that most have are taken, and the rest passed over. A test is yielded as soon as it is read,
so that memory stays flat, whatever the size of the report and of what its tests have printed.

It is written on Python's own binding of Expat. The kept library for these files, junitparser, first
reads a file as a whole: 100,000 tests take 150 MB and more, with all that they have printed; of a
file that breaks off it gives nothing, and its parsers would have to be told about entities all the
same.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from pycurrent.reports.errors import OtherReport, ReportError
from pycurrent.reports.opening import opened
from pycurrent.reports.xml import parsed, xml_parser
from pycurrent.store import TestCase, TestResult

DEEPEST = 100
"""So deep may suites be nested."""
LONGEST_NAME = 500
LONGEST_MESSAGE = 4_000
LONGEST_TEXT = 16_000
"""In characters. A longer name is cut at its end, the others in their middle."""

_ROOTS = frozenset({"testsuites", "testsuite"})
_BAD = {"failure": TestResult.FAILED, "error": TestResult.ERROR}
_RERUNS = frozenset({"flakyFailure", "flakyError", "rerunFailure", "rerunError"})
_TELLING = frozenset({*_BAD, "skipped", *_RERUNS})
_TEXTS_INSIDE = frozenset({"stackTrace"})
"""The element that surefire puts around the text of a test that it has run again."""
_STAMPS = re.compile(r"(?:===|---) ")
"""How lines of Go begin that say which test runs."""
_FRAME = re.compile(r"\s+at |goroutine \d|stack backtrace")
_COLOUR = re.compile(r"[\x1b\x7f]\[[0-?]*[ -/]*[@-~]|[\x1b\x7f]")
_EMPTY_WORDS = frozenset({"", "failed", "failure", "error"})


def read_junit(path: Path) -> Iterator[list[TestCase]]:
    """The tests in a report, some at a time. Blocks.

    Raises `OtherReport` before the first ones if it is other XML, and `ReportError` where it can't
    be read on: those before are whole.
    """
    with opened(path) as read:
        yield from _Reader().read(read)


class _Reader:
    """Reads one report."""

    def __init__(self) -> None:
        parser = xml_parser()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        self._parser = parser
        self._cases: list[TestCase] = []
        self._count = 0
        self._above: list[str] = []
        """The names of the elements that are open."""
        self._suites: list[str] = []
        self._case: _Case | None = None

    def read(self, read: Callable[[int], bytes]) -> Iterator[list[TestCase]]:
        try:
            for _ in parsed(self._parser, read, self._so_far):
                if self._cases:
                    yield self._taken()
        except ReportError:
            if self._cases:
                yield self._taken()
            raise

    def _taken(self) -> list[TestCase]:
        cases, self._cases = self._cases, []
        self._count += len(cases)
        return cases

    def _so_far(self) -> str:
        count = self._count + len(self._cases)
        return f", after {count} whole tests" if self._above or count else ""

    # Elements

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if ":" in tag:
            tag = tag.rpartition(":")[2]
        if not self._above and tag not in _ROOTS:
            raise OtherReport(f"it is not a report of tests, but <{tag[:LONGEST_NAME]}>")
        self._above.append(tag)
        if len(self._above) > DEEPEST:
            raise ReportError(f"its elements are nested more than {DEEPEST} deep")
        case = self._case
        if case is None:
            if tag == "testsuite":
                self._suites.append(attributes.get("name", ""))
            elif tag == "testcase":
                self._case = _Case(attributes, self._suites[-1] if self._suites else "")
        elif tag in _TELLING and self._above[-2] == "testcase":
            self._parser.CharacterDataHandler = case.begin(tag, attributes).add
        elif case.text is not None and tag not in _TEXTS_INSIDE:
            self._parser.CharacterDataHandler = None

    def _end(self, tag: str) -> None:
        if ":" in tag:
            tag = tag.rpartition(":")[2]
        self._above.pop()
        case = self._case
        if case is None:
            if tag == "testsuite":
                self._suites.pop()
        elif tag == "testcase" and self._above[-1] != "testcase":
            self._cases.append(case.taken())
            self._case = None
        elif tag in _TELLING and self._above[-1] == "testcase":
            case.text = self._parser.CharacterDataHandler = None
        elif case.text is not None and tag not in _TEXTS_INSIDE:
            self._parser.CharacterDataHandler = case.text.add


class _Case:
    """A test that is being read."""

    __slots__ = ("_attributes", "_found", "_retries", "_suite", "text")

    def __init__(self, attributes: dict[str, str], suite: str) -> None:
        self._attributes = attributes
        self._suite = suite
        self._found: list[tuple[str, dict[str, str], _Text]] = []
        self._retries = 0
        self.text: _Text | None = None
        """The text of the element that says how it ended, within that."""

    def begin(self, tag: str, attributes: dict[str, str]) -> _Text:
        text = self.text = _Text()
        self._retries += tag in _RERUNS
        # The first one tells why; those after it follow from it, as a rule.
        if not any(other == tag for other, *_ in self._found):
            self._found.append((tag, attributes, text))
        return text

    def taken(self) -> TestCase:
        get = self._attributes.get
        suite = get("classname") or self._suite
        name = get("name") or suite or "(a test without a name)"
        result, message, text = TestResult.PASSED, None, None
        if self._found or get("status") == "notrun":  # as GoogleTest says it
            result = self._result()
            told = self._telling(result)
            if told is not None:
                text = _COLOUR.sub("", str(told[1])).strip()
                message = _message(told[0].get("message"), text)
        file = get("file")
        return TestCase(
            suite=_name(suite),
            name=_name(name),
            result=result,
            took=_seconds(get("time")),
            file=_name(file) if file else None,
            line=_line(get("line")),
            message=message or None,
            text=text or None,
            retries=self._retries,
        )

    def _result(self) -> TestResult:
        found = [tag for tag, *_ in self._found]
        for tag, result in _BAD.items():
            if tag in found:
                return result
        return TestResult.SKIPPED if "skipped" in found or not found else TestResult.PASSED

    def _telling(self, result: TestResult) -> tuple[dict[str, str], _Text] | None:
        """The element that says most about the result."""
        order = {TestResult.FAILED: ("failure",), TestResult.ERROR: ("error",)}
        for wanted in (*order.get(result, ()), "skipped", *_RERUNS):
            for tag, attributes, text in self._found:
                if tag == wanted:
                    return attributes, text
        return None


class _Text:
    """A text that is read piece by piece, of which the middle is dropped if it gets long."""

    __slots__ = ("_head", "_pieces", "_size")

    def __init__(self) -> None:
        self._head: str | None = None
        self._pieces: list[str] = []
        self._size = 0

    def add(self, piece: str) -> None:
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > 4 * LONGEST_TEXT:
            text = "".join(self._pieces)
            if self._head is None:
                self._head = text[: LONGEST_TEXT // 4]
            self._pieces = [text[-LONGEST_TEXT:]]
            self._size = LONGEST_TEXT

    def __str__(self) -> str:
        text = "".join(self._pieces)
        whole = text if self._head is None else f"{self._head}\n{text}"
        return _cut(whole, LONGEST_TEXT, is_cut=self._head is not None)


def _cut(text: str, longest: int, *, is_cut: bool = False) -> str:
    """The text, or its beginning and its end."""
    if len(text) <= longest and not is_cut:
        return text
    head = longest // 4
    return f"{text[:head]}\n...\n{text[-(longest - head) :]}"


def _name(name: str) -> str:
    """A name that can be recorded; different ones stay different."""
    if not name.isprintable():
        name = " ".join(name.split())
    if len(name) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode(errors="replace")).hexdigest()[:8]
    return f"{name[:LONGEST_NAME]}…{digest}"


def _message(message: str | None, text: str) -> str:
    """The words of a test in short: its message, or as much of its text where that says nothing."""
    said = _COLOUR.sub("", message or "").strip()
    if said.lower() in _EMPTY_WORDS or " panicked at " in said:
        said = _beginning(text) or said
    elif _STAMPS.match(said):
        said = _beginning(said)
    return _cut(said, LONGEST_MESSAGE)


def _beginning(text: str) -> str:
    """The first lines of a text that tell something, up to the frames of a stack."""
    lines: list[str] = []
    for line in text.strip().splitlines():
        if _FRAME.match(line):
            break
        if line.strip() and not _STAMPS.match(line.strip()):
            lines.append(line.strip())
        if len(lines) == 5:
            break
    return "\n".join(lines)


def _seconds(text: str | None) -> float | None:
    """A duration: some tools write 1,234.5 for a long one, and some 0,5 where people do so."""
    if not text:
        return None
    if "," in text:
        text = text.replace(",", "." if "." not in text else "")
    try:
        took = float(text)
    except ValueError:
        return None
    return took if math.isfinite(took) and 0 <= took < 1e9 else None


def _line(text: str | None) -> int | None:
    return int(text) if text and len(text) < 10 and text.isdecimal() else None
