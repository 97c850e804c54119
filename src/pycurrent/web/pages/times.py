"""The times that filters of pages offer."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import MappingProxyType

from pycurrent.engine import Clock

_LENGTHS = MappingProxyType(
    {
        "1h": ("hour", timedelta(hours=1)),
        "1d": ("day", timedelta(days=1)),
        "7d": ("7 days", timedelta(days=7)),
        "30d": ("30 days", timedelta(days=30)),
    }
)
TIMES = MappingProxyType({name: words for name, (words, _) in _LENGTHS.items()})
"""Their words, by what addresses call them."""


def since_of(name: str, clock: Clock) -> datetime | None:
    """The beginning of such a time that ends now; None if there is none of this name."""
    found = _LENGTHS.get(name)
    return None if found is None else clock.now() - found[1]
