"""Takes what tools that look through code have found, in reports in SARIF."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from msgspec.structs import replace

from pycurrent.engine.job_reports import Reported
from pycurrent.reports.sarif import read_sarif
from pycurrent.reports.taken import NAMED, Masked, Place, Taken
from pycurrent.store import Annotation, AnnotationCounts, AnnotationLevel, add_annotations
from pycurrent.store.annotations import LEVELS, MOST

MOST_READ = 1_000_000
"""So many results may one call report."""


class TakenAnnotations(Taken):
    """The annotations of one call. The worst ones are recorded first."""

    what: ClassVar[str] = "report in SARIF"

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._levels = Counter[AnnotationLevel]()
        self._kept: dict[AnnotationLevel, list[Annotation]] = {level: [] for level in LEVELS}
        self._recorded = 0

    def take(self, files: Sequence[tuple[Path, str]]) -> None:
        for file, name in files:
            with self.reading(name):
                self._read(file)
            if self._levels.total() > MOST_READ:
                self.unread.append(f"there are more than {MOST_READ:,} results")
                break
        if worst := self._worst(MOST):
            self._recorded = add_annotations(self.place.database, self.place.job_id, worst)

    def _read(self, file: Path) -> None:
        for one in read_sarif(file, self.place.folder):
            self._levels[one.level] += 1
            kept = self._kept[one.level]
            if len(kept) < MOST:
                kept.append(_masked(one, self.place.masked))

    def _worst(self, count: int) -> list[Annotation]:
        """The first ones of the worst levels."""
        return [one for level in reversed(LEVELS) for one in self._kept[level]][:count]

    @property
    def counts(self) -> AnnotationCounts:
        """How many there are."""
        levels = self._levels
        return AnnotationCounts(*(levels[level] for level in reversed(LEVELS)))

    def words(self) -> str:
        return f"SARIF: {self.counts if self._levels else 'nothing found'}"

    def reported(self, others: Reported) -> Reported:
        return replace(others, annotations=self.counts)

    def details(self) -> Iterator[str]:
        named = self._worst(NAMED)
        for one in named:
            yield f"  {one.level.value}: {one}"
        total = self._levels.total()
        if total > len(named):
            yield f"  and {total - len(named):,} more"
        if total > self._recorded:
            yield f"Note: {total - self._recorded:,} are not recorded: a job has {MOST:,} at most"


def _masked(one: Annotation, masked: Masked) -> Annotation:
    """It as a log would hold its words."""
    words = f"{one.path}\n{one.message}\n{one.title}"
    if masked(words) == words:
        return one
    return replace(
        one,
        path=None if one.path is None else masked(one.path),
        message=masked(one.message),
        title=None if one.title is None else masked(one.title),
    )
