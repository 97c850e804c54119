"""How long a result holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from pycurrent.errors import UsageError


@dataclass(frozen=True, slots=True)
class Schedule:
    """A result is made again once it is older than `valid_for`; None means never. So does an age
    that goes beyond all dates. One that claims to be of the future counts as made now.

    Raises `UsageError` for what is not a positive `timedelta`.
    """

    valid_for: timedelta | None = None

    def __post_init__(self) -> None:
        if self.valid_for is None:
            return
        if not isinstance(self.valid_for, timedelta):
            raise UsageError(
                f"a schedule's valid_for is a timedelta, not {self.valid_for!r}: write, say, "
                "Schedule(valid_for=timedelta(hours=1))"
            )
        if self.valid_for <= timedelta(0):
            raise UsageError(f"a schedule needs a positive valid_for, not {self.valid_for}")
