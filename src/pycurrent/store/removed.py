"""The record of the parts of jobs that retention has removed."""

from datetime import datetime
from typing import Self

from msgspec import Struct

from pycurrent.store.keep import Part
from pycurrent.store.records import Row

_NAMES = {Part.LOG: "its log was", Part.FILES: "its files were", Part.TESTS: "its tests were"}


class RemovedPart(Struct, frozen=True):
    """A part of a job that was removed, while the record of the job stays."""

    part: Part
    at: datetime
    """Aware, in UTC."""
    rule: str
    """The rule that has let it go, as people write it."""

    @classmethod
    def of_row(cls, row: Row) -> Self:
        """The record in a row. Raises ValueError or TypeError if it is damaged."""
        part, at, rule = row
        return cls(Part(part), datetime.fromisoformat(at), rule)

    def __str__(self) -> str:
        """A sentence about the job, without its end."""
        return f"{_NAMES[self.part]} removed on {self.at:%Y-%m-%d} by {self.rule}"
