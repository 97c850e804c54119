"""Large state directories: gc, and the start on a long history."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter

from benchmarks.engine import seconds_to_ok, trivial
from benchmarks.figures import LARGE, MIDDLE, SMALL, Benchmark, Figure, Samples
from benchmarks.places import Place, scratch

from pycurrent.store import (
    SECONDS,
    Database,
    DatabaseReader,
    HistoryFilter,
    LabelFilter,
    StateDir,
)

KEYS = 1000

HISTORY = """
INSERT INTO job (job_id, op, key, key_digest, build, created, started, level, finished, ended,
                 outcome)
  WITH RECURSIVE number (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n + 1 < :n)
SELECT printf('2020-01-%02d/%06d-build-%06x', 1 + n * 30 / :n, n % 240000, n), 'build',
       'key ' || (n % :keys), 'key ' || (n % :keys), n / :keys,
       '2020-01-01T00:00:00.000000Z', '2020-01-01T00:00:00.000000Z', 'average',
       '2020-01-01T00:00:01.000000Z', 'ok', '"sha256:' || hex(randomblob(32)) || '"'
  FROM number
"""
"""n jobs that ended long ago, without logs: results of `KEYS` keys, each of which keeps one."""


def history(state_dir: Path, n: int) -> Path:
    """Make a state directory with n old jobs; return its database."""
    with StateDir.open(state_dir) as state:
        Database.open(state.database).close()
        with closing(sqlite3.connect(state.database)) as connection, connection:
            connection.execute(HISTORY, {"n": n, "keys": min(KEYS, n)})
        return state.database


COLLECT = """
import json, sys
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any
from pycurrent.store import StateDir
from pycurrent.store.gc import collect_garbage
def peak():
    # Not `ru_maxrss`, which begins with what the parent took.
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) / 1e3 for line in lines if line.startswith("VmHWM"))
state, memory, before = StateDir.read(sys.argv[1]), peak(), perf_counter()
report = collect_garbage(state, older_than=timedelta(days=1), now=datetime.now(UTC))
seconds = perf_counter() - before
print(json.dumps([seconds, peak() - memory, report.jobs, report.given_back]))
"""


def gc(n: int) -> Samples:
    """Remove n old jobs, of which none has a log, in a process of its own."""
    with scratch(Place.DISK) as folder:
        database = history(folder, n)
        size = database.stat().st_size
        command = [sys.executable, "-c", COLLECT, str(folder)]
        ended = subprocess.run(command, check=True, capture_output=True, text=True)
        seconds, memory, jobs, given_back = json.loads(ended.stdout)
        assert jobs == n - min(KEYS, n), jobs
        assert given_back == size - database.stat().st_size
    return {"gc": seconds, "gc-memory": memory, "gc-given-back": 100 * given_back / size}


def long_history(n: int) -> Samples:
    """From nothing to the first result, with n old jobs in the history."""
    with scratch(Place.DISK) as folder:
        history(folder, n)
        took = [asyncio.run(seconds_to_ok(trivial(1), folder)) for _ in range(5)]
        return {"long-history": sorted(took)[2] * 1e3}


USES = """
INSERT INTO stage (path) VALUES ('web/build'), ('api/build');
INSERT INTO label_set (labels) VALUES ('{"repo":"web"}'), ('{"repo":"api"}');
INSERT INTO label VALUES ('repo', 'web', 1), ('repo', 'api', 2);
INSERT INTO job_use (job, stage, labels, since)
SELECT seq, 1 + (seq % 1000 = 0), 1 + (seq % 1000 = 0), created FROM job;
UPDATE job
   SET started = strftime('%Y-%m-%dT%H:%M:%f000Z', created, seq || ' seconds'),
       finished = strftime('%Y-%m-%dT%H:%M:%f000Z', created, (seq + 1) || ' seconds');
UPDATE job SET ended = 'failed', kind = 'infra' WHERE seq % 1000 = 1;
UPDATE job SET cause = '{"$Expired":{}}' WHERE seq % 100 = 2;
"""
"""A job ends each second. A stage has used nearly all jobs, another one a thousandth; as many have
failed.
"""

FILTERS: Mapping[str, HistoryFilter] = {
    "page": HistoryFilter(),
    "operation": HistoryFilter(op="build"),
    "key": HistoryFilter(key="key 7"),
    "failures": HistoryFilter(ok=False),
    "kind": HistoryFilter(kind="infra"),
    "cause": HistoryFilter(cause="Expired"),
    "time": HistoryFilter(until=datetime(2019, 1, 1, tzinfo=UTC)),
    "path": HistoryFilter(path="api/*"),
    "frequent label": HistoryFilter(labels=(LabelFilter("repo", "web"),)),
    "rare label": HistoryFilter(labels=(LabelFilter("repo", "api"),)),
    "duration": HistoryFilter(longer=timedelta(seconds=5)),
    "text": HistoryFilter(text="no such text"),
}


def history_pages(n: int) -> Samples:
    """The first page of a history of n jobs by each filter, in milliseconds."""
    with scratch(Place.DISK) as folder:
        database = history(folder, n)
        with closing(sqlite3.connect(database)) as connection:
            connection.executescript(USES)
        with DatabaseReader.open(database) as reader:
            return {f"history-{name}": _page(reader, wanted) for name, wanted in FILTERS.items()}


def _page(reader: DatabaseReader, wanted: HistoryFilter) -> float:
    began = perf_counter()
    reader.history_page(wanted, limit=100, seconds=SECONDS)
    return (perf_counter() - began) * 1e3


BENCHMARKS = (
    Benchmark(
        "history",
        history_pages,
        tuple(
            [
                Figure(f"history-{name}", f"a page of n jobs: {name}", "ms", {10 * LARGE: 50})
                for name in FILTERS
            ]
        ),
        sizes=(SMALL, LARGE, 10 * LARGE),
        runs={SMALL: 3, LARGE: 1, 10 * LARGE: 1},
    ),
    Benchmark(
        "gc",
        gc,
        (
            Figure("gc", "gc of n old jobs, on disk", "s", {4 * LARGE: 10}),
            Figure("gc-memory", "  its memory over its start", "MB", {4 * LARGE: 30}),
            Figure("gc-given-back", "  of the database given back to the disk", "%"),
        ),
        sizes=(MIDDLE, LARGE, 4 * LARGE),
        runs={MIDDLE: 3, LARGE: 1, 4 * LARGE: 1},
    ),
    Benchmark(
        "long-history",
        long_history,
        (
            Figure(
                "long-history",
                "from a start to the first result, n jobs in the history",
                "ms",
                {10 * LARGE: 100},
                growth=1.5,
            ),
        ),
        sizes=(SMALL, LARGE, 10 * LARGE),
        runs={SMALL: 1, LARGE: 1, 10 * LARGE: 1},
    ),
)
