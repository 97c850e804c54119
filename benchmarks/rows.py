"""The rows of the table: what was measured of each figure, and how it is shown."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from statistics import median

from benchmarks.figures import SMALL, Better, Figure, Peer
from rich.table import Table
from rich.text import Text


@dataclass
class Row:
    """A figure with what was measured: samples by size."""

    figure: Figure
    samples: dict[int, list[float]] = field(default_factory=dict)

    def value(self, size: int) -> float | None:
        samples = self.samples.get(size)
        if not samples:
            return None
        # Peaks of memory never go down within a process: the first is that of one sample.
        return min(samples) if self.figure.unit == "MB" else median(samples)

    @property
    def growth(self) -> list[float]:
        """The value at each size as a multiple of the one at the size before."""
        values = [self.value(size) for size in sorted(self.samples)]
        return [after / before for before, after in pairwise(values) if before and after]


Rows = dict[str, Row]


def met(row: Row, rows: Rows) -> bool | None:
    """True if the figure reaches its target; None if there is no target or no measurement."""
    answers = []
    for size, target in row.figure.target.items():
        value = row.value(size)
        if value is not None:
            lower = row.figure.better is Better.LOWER
            answers.append(value <= target if lower else value >= target)
    if row.figure.growth is not None and SMALL in row.samples and len(row.samples) > 1:
        first, last = row.value(SMALL), row.value(max(row.samples))
        answers.append(bool(first and last and last <= row.figure.growth * first))
    if row.figure.ahead_of is not None and row.figure.ahead_of in rows:
        for size in row.samples:
            mine, other = row.value(size), rows[row.figure.ahead_of].value(size)
            answers.append(mine is not None and other is not None and mine < other)
    return all(answers) if answers else None


def table(rows: Rows) -> Table:
    sizes = sorted({size for row in rows.values() for size in row.samples} - {1})
    shown = Table(title="pycurrent", title_justify="left", box=None, header_style="bold")
    shown.add_column("figure", no_wrap=True)
    for size in sizes:
        shown.add_column(f"{size:,}", justify="right", no_wrap=True)
    shown.add_column("unit")
    for title in ("growth", "to reach"):
        shown.add_column(title, justify="right")
    shown.add_column("others, measured before")
    for row in rows.values():
        cells = [number(row.value(size)) for size in sizes]
        if 1 in row.samples:
            cells = [*[""] * (len(sizes) - 1), number(row.value(1))]
        growth = " ".join(f"{ratio:.1f}" for ratio in row.growth)
        shown.add_row(
            row.figure.what, *cells, row.figure.unit, growth, target(row, rows), others(row)
        )
    return shown


def number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def target(row: Row, rows: Rows) -> Text:
    sign = "≤" if row.figure.better is Better.LOWER else "≥"
    parts = [
        f"{sign} {number(value)}" + (f" at {size:,}" if size > 1 else "")
        for size, value in row.figure.target.items()
    ]
    if row.figure.growth is not None:
        parts.append(f"growth ≤ {row.figure.growth:g}")
    if row.figure.ahead_of is not None:
        parts.append(f"ahead of {row.figure.ahead_of.partition('-')[2]}")
    style = {True: "green", False: "red", None: ""}[met(row, rows)]
    return Text(", ".join(parts), style=style)


def others(row: Row) -> str:
    return "; ".join(
        f"{peer.name} {' / '.join(number(value) for value in peer.values.values())}"
        for peer in row.figure.peers
    )


def values(peer: Peer) -> dict[str, float]:
    return {str(size): value for size, value in peer.values.items()}


def report(rows: Rows, seconds: float) -> dict[str, object]:
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        "python": platform.python_version(),
        "machine": {
            "system": platform.platform(),
            "processors": os.cpu_count(),
            "load": os.getloadavg(),
        },
        "collector": "as Python sets it up; paused by the engine within a step",
        "figures": [
            {
                "name": name,
                "what": row.figure.what.strip(),
                "unit": row.figure.unit,
                "better": row.figure.better.value,
                "values": {str(size): row.value(size) for size in row.samples},
                "samples": {str(size): samples for size, samples in row.samples.items()},
                "growth": row.growth,
                "target": {str(size): value for size, value in row.figure.target.items()},
                "met": met(row, rows),
                "others": [
                    {"name": peer.name, "source": peer.source, "values": values(peer)}
                    for peer in row.figure.peers
                ],
            }
            for name, row in rows.items()
        ],
    }
