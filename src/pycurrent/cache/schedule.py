"""How long a result holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from pycurrent.errors import UsageError


@dataclass(frozen=True, slots=True)
class Schedule:
    """A result is made again once it is older than `valid_for`; None means never."""

    valid_for: timedelta | None = None

    def __post_init__(self) -> None:
        if self.valid_for is not None and self.valid_for <= timedelta(0):
            raise UsageError(f"a schedule needs a positive valid_for, not {self.valid_for}")
