"""How long the same work has taken, as bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

from pycurrent.service import HistoryEntry
from pycurrent.view.formatting import duration
from pycurrent.web.pages.state_badges import of_entry

WIDTH = 400
HEIGHT = 60
_MOST = 40
_WIDEST = 24.0
_LOWEST = 2.0


@dataclass(frozen=True, slots=True)
class Bar:
    """A run. Lengths are in the units of the drawing."""

    x: float
    y: float
    width: float
    height: float
    sign: str
    title: str
    job_id: str


@dataclass(frozen=True, slots=True)
class Trend:
    """The runs, the oldest first."""

    bars: tuple[Bar, ...]
    shortest: timedelta
    middle: timedelta
    longest: timedelta
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def text(self) -> str:
        """The drawing in words."""
        return (
            f"{len(self.bars)} runs: {duration(self.shortest)} to {duration(self.longest)},"
            f" half of them up to {duration(self.middle)}"
        )


def trend_of(entries: Sequence[HistoryEntry]) -> Trend | None:
    """Of the last runs, given with the newest first; None if there are fewer than two."""
    runs = [(entry, entry.took) for entry in entries if entry.took is not None][:_MOST][::-1]
    if len(runs) < 2:
        return None
    times = [took for _, took in runs if took is not None]
    longest = max(times)
    step = min(WIDTH / len(runs), _WIDEST)
    bars = []
    for place, (entry, took) in enumerate(runs):
        assert took is not None
        part = took / longest if longest else 0.0
        height = max(_LOWEST, part * (HEIGHT - 2))
        bars.append(
            Bar(
                x=round(place * step, 2),
                y=round(HEIGHT - height, 2),
                width=round(step * 0.8, 2),
                height=round(height, 2),
                sign=of_entry(entry).sign,
                title=f"#{entry.build} {of_entry(entry).word}, {duration(took)}",
                job_id=entry.job_id,
            )
        )
    middle = timedelta(seconds=median(time.total_seconds() for time in times))
    return Trend(tuple(bars), min(times), middle, longest)
