"""Takes coverage, in Cobertura's XML or in the form of lcov."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from msgspec.structs import replace

from pycurrent.engine.job_reports import Reported
from pycurrent.reports.cobertura import read_cobertura
from pycurrent.reports.errors import OtherReport, ReportError
from pycurrent.reports.lcov import BEGINNINGS, read_lcov
from pycurrent.reports.opening import opened
from pycurrent.reports.sources import Sources
from pycurrent.reports.taken import Place, Taken
from pycurrent.store.coverage import Coverage
from pycurrent.store.coverage_writer import add_coverage
from pycurrent.store.covered_lines import CoveredLines

_AT_ONCE = 1 << 16


class TakenCoverage(Taken):
    """The coverage in the reports of one call, united with that of the job's calls before."""

    what: ClassVar[str] = "report of coverage"

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._whole: Coverage | None = None

    def take(self, files: Sequence[tuple[Path, str]]) -> None:
        found = CoveredLines()
        for file, name in files:
            with self.reading(name):
                self._read(file, name, found)
        if self.files:
            place = self.place
            try:
                self._whole = add_coverage(place.database, place.job_id, found, place.now())
            except ValueError as error:
                self.unread.append(f"the coverage can't be recorded: {error}")

    def _read(self, file: Path, name: str, into: CoveredLines) -> None:
        masked = self.place.masked
        sources = Sources(self.place.folder, file)
        with opened(file) as read:
            first = read(_AT_ONCE)
            start = first.removeprefix(b"\xef\xbb\xbf").lstrip()
            whole = _from_start(first, read)
            try:
                if start.startswith(BEGINNINGS):
                    read_lcov(whole, into, lambda path: masked(sources.path(path)))
                elif not start or start.startswith((b"<", b"\xff\xfe", b"\xfe\xff", b"\0<")):
                    read_cobertura(
                        whole, into, lambda path, listed: masked(sources.path(path, listed)), name
                    )
                else:
                    raise OtherReport("it is neither Cobertura's XML nor lcov's")
            except ValueError as error:
                raise ReportError(str(error)) from None

    def words(self) -> str:
        return f"Coverage: {self._whole or 'not recorded'}"

    def reported(self, others: Reported) -> Reported:
        return replace(others, coverage=self._whole)


def _from_start(first: bytes, read: Callable[[int], bytes]) -> Callable[[int], bytes]:
    """Read on, with the beginning before."""
    waiting = [first]

    def from_start(size: int) -> bytes:
        return waiting.pop() if waiting else read(size)

    return from_start
