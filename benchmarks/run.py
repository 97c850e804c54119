"""Measures pycurrent, prints a table, and writes `bench.json`.

    python -m benchmarks.run [--quick] [--only NAME ...] [--json FILE]

Each benchmark runs in a process of its own at each size, so that one can't make another slow or
look big. Times are medians of several samples (`runs` in the JSON), sizes of memory the peak of
the process after its first sample. The garbage collector is as Python sets it up, but for what
the engine itself does about it while it is open; before each sample it has collected.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from benchmarks import (
    checkouts,
    cluster_queue,
    core,
    disk,
    drained,
    durable,
    engine,
    explained,
    floor,
    forges,
    hosts,
    kept_files,
    large_files,
    make_like,
    many,
    outputs,
    processes,
    queued,
    ray_jobs,
    slurm_jobs,
    steps,
    tested,
    upkeep,
    web,
    whole,
)
from benchmarks.figures import RUNS, Benchmark, NotMeasured, Samples
from benchmarks.rows import Row, Rows, report, table
from rich.console import Console

BENCHMARKS: tuple[Benchmark, ...] = (
    *core.BENCHMARKS,
    *floor.BENCHMARKS,
    *engine.BENCHMARKS,
    *queued.BENCHMARKS,
    *explained.BENCHMARKS,
    *steps.BENCHMARKS,
    *whole.BENCHMARKS,
    *processes.BENCHMARKS,
    *make_like.BENCHMARKS,
    *outputs.BENCHMARKS,
    *web.BENCHMARKS,
    *many.BENCHMARKS,
    *disk.BENCHMARKS,
    *upkeep.BENCHMARKS,
    *tested.BENCHMARKS,
    *checkouts.BENCHMARKS,
    *kept_files.BENCHMARKS,
    *large_files.BENCHMARKS,
    *forges.BENCHMARKS,
    *drained.BENCHMARKS,
    *durable.BENCHMARKS,
    *hosts.BENCHMARKS,
    *slurm_jobs.BENCHMARKS,
    *cluster_queue.BENCHMARKS,
    *ray_jobs.BENCHMARKS,
)
QUICK = 50
"""The size with `--quick`: only to see that all still runs."""


def measure(benchmark: Benchmark, size: int, runs: int) -> list[Samples] | str:
    """Samples that are taken in a process of their own; or why there are none."""
    command = [sys.executable, "-m", "benchmarks.run", "--child", benchmark.name, str(size)]
    result = subprocess.run(
        [*command, str(runs)],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        return (result.stderr.strip().splitlines() or ["it has crashed"])[-1]
    samples: list[Samples] = json.loads(result.stdout)
    return samples


def child(name: str, size: int, runs: int) -> None:
    """Print the samples of one benchmark as JSON."""
    benchmark = next(benchmark for benchmark in BENCHMARKS if benchmark.name == name)
    try:
        samples = [benchmark.measure(size) for _ in range(runs)]
    except NotMeasured as error:
        sys.exit(str(error))
    print(json.dumps(samples))


def measure_all(benchmarks: Sequence[Benchmark], console: Console, *, quick: bool) -> Rows:
    rows = {figure.name: Row(figure) for chosen in benchmarks for figure in chosen.figures}
    for benchmark in benchmarks:
        sizes = benchmark.sizes if not quick else (min(QUICK, *benchmark.sizes, QUICK),)
        for size in sizes:
            before = perf_counter()
            runs = 1 if quick else benchmark.runs.get(size, RUNS.get(size, 1))
            samples = measure(benchmark, size, runs)
            took = f"{perf_counter() - before:.1f} s"
            if isinstance(samples, str):
                console.print(f"{benchmark.name} {size:,}: not measured: {samples}", style="red")
                continue
            console.print(f"{benchmark.name} {size:,}: {took}", style="dim")
            for sample in samples:
                for name, value in sample.items():
                    rows[name].samples.setdefault(size, []).append(value)
    return {name: row for name, row in rows.items() if row.samples}


def main() -> None:
    names = [benchmark.name for benchmark in BENCHMARKS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--quick", action="store_true", help="small sizes, once: do they run?")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), metavar="FILE")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        name, size, runs = options.child
        child(name, int(size), int(runs))
        return
    before = perf_counter()
    chosen = [each for each in BENCHMARKS if not options.only or each.name in options.only]
    rows = measure_all(chosen, Console(stderr=True), quick=options.quick)
    took = perf_counter() - before
    # Where there is no terminal, and nobody says how wide it is to be, lines are not broken.
    console = Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else 230)
    console.print(table(rows))
    options.json.write_text(json.dumps(report(rows, took), indent=2) + "\n")
    print(f"{took:.0f} s; written to {options.json}")


if __name__ == "__main__":
    main()
