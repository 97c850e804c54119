"""The benchmarks: that they run, not how fast."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def _benchmarks_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are no part of the distribution, and run in the folder of the repository."""
    monkeypatch.syspath_prepend(ROOT)


def test_a_quick_run_measures_each_figure(tmp_path: Path) -> None:
    """Of those that are chosen: it prints a table, and writes all as JSON."""
    from benchmarks.run import BENCHMARKS

    names = ["chain", "list", "square-diagram", "builds", "restart", "kills"]
    file = tmp_path / "bench.json"
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks.run", "--quick", "--json", file, "--only", *names],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "230"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "not measured" not in result.stderr
    figures = {figure["name"]: figure for figure in json.loads(file.read_text())["figures"]}
    expected = {
        figure.name: figure
        for benchmark in BENCHMARKS
        if benchmark.name in names
        for figure in benchmark.figures
    }
    assert figures.keys() == expected.keys()
    for name, figure in expected.items():
        assert figure.what.strip() in result.stdout
        assert all(value is not None for value in figures[name]["values"].values())
    assert figures["killed-lost"]["values"] == {"50": 0}


def test_names_are_told_apart() -> None:
    """No two benchmarks, and no two figures, have the same name."""
    from benchmarks.run import BENCHMARKS

    names = [benchmark.name for benchmark in BENCHMARKS]
    figures = [figure.name for benchmark in BENCHMARKS for figure in benchmark.figures]
    assert len(set(names)) == len(names)
    assert len(set(figures)) == len(figures)


@pytest.mark.parametrize(
    ("target", "samples", "expected"),
    [
        ("", {1000: [1.0]}, None),
        ("at 1000 <= 2", {10_000: [1.0]}, None),
        ("at 1000 <= 2", {1000: [1.0, 2.0, 9.0]}, True),
        ("at 1000 <= 2", {1000: [3.0]}, False),
        ("at 1000 >= 2", {1000: [3.0]}, True),
        ("at 1000 >= 2", {1000: [1.0]}, False),
        ("MB at 1000 <= 2", {1000: [2.0, 9.0, 9.0]}, True),
        ("growth <= 3", {1000: [1.0], 100_000: [2.0]}, True),
        ("growth <= 3", {1000: [1.0], 100_000: [4.0]}, False),
        ("ahead of 5", {1000: [4.0]}, True),
        ("ahead of 5", {1000: [6.0]}, False),
    ],
)
def test_a_target_is_met_or_not(
    target: str, samples: dict[int, list[float]], expected: bool | None
) -> None:
    """By the median, or for memory by the first sample; or there is none."""
    from benchmarks.figures import Better, Figure
    from benchmarks.rows import Row, met

    figures = {
        "": Figure("a", "", "ms"),
        "at 1000 <= 2": Figure("a", "", "ms", {1000: 2}),
        "at 1000 >= 2": Figure("a", "", "/s", {1000: 2}, Better.HIGHER),
        "MB at 1000 <= 2": Figure("a", "", "MB", {1000: 2}),
        "growth <= 3": Figure("a", "", "ms", growth=3),
        "ahead of 5": Figure("a", "", "ms", ahead_of="b"),
    }
    rows = {"a": Row(figures[target], samples), "b": Row(Figure("b", "", "ms"), {1000: [5.0]})}
    assert met(rows["a"], rows) is expected
