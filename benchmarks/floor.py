"""The floors: what the files and the database alone cost, with nothing of an engine."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

from benchmarks.figures import LARGE, MIDDLE, SMALL, Benchmark, Better, Figure, Samples
from benchmarks.places import Place, scratch

from pycurrent.store import Database, JobEnd, JobRecord, StateDir

BATCH = 500
"""Jobs that one transaction records."""


def fill(state_dir: Path, n: int, *, op: str, value: str) -> None:
    """A state directory in which n keys are known, without logs."""
    now = datetime.now(UTC)
    with StateDir.open(state_dir) as state, Database.open(state.database) as store:
        for start in range(0, n, BATCH):
            for number in range(start, min(start + BATCH, n)):
                job = state.new_job_id(op, now)
                key = str(number)
                store.insert_job(JobRecord(job, op, key, key, None, None, 0, now, None))
                store.start_job(job, started=now, level="harmless")
                store.finish_job(job, JobEnd.OK, finished=now, outcome=value)
            store.commit()


def files_and_records(n: int) -> Samples:
    """For each of n jobs: make and write a log file, record its beginning and its end."""
    samples = {}
    for place in Place:
        with scratch(place) as folder:
            logs = folder / "logs"
            logs.mkdir()
            before = perf_counter()
            with StateDir.open(folder / "state") as state, Database.open(state.database) as store:
                for start in range(0, n, BATCH):
                    _batch(state, store, logs, range(start, min(start + BATCH, n)))
            samples[f"floor-{place.value}"] = n / (perf_counter() - before)
    return samples


def _batch(state: StateDir, store: Database, logs: Path, numbers: range) -> None:
    now = datetime.now(UTC)
    jobs = {}
    for number in numbers:
        job = jobs[number] = state.new_job_id("floor", now)
        log = os.open(logs / str(number), os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        os.write(log, b"2026-11-22 09:30.05: New job\n2026-11-22 09:30.05: Job succeeded\n")
        os.close(log)
        key = str(number)
        store.insert_job(JobRecord(job, "floor", key, key, None, None, 0, now, None))
    store.commit()
    for job in jobs.values():
        store.start_job(job, started=now, level="harmless")
        store.finish_job(job, JobEnd.OK, finished=now, outcome="null")
    store.commit()


def lookups(n: int) -> Samples:
    """Find n known results."""
    with scratch(Place.MEMORY) as folder:
        fill(folder, n, op="floor", value="null")
        with StateDir.read(folder) as state, Database.open(state.database) as store:
            before = perf_counter()
            found = [store.last_result("floor", str(number)) for number in range(n)]
            took = perf_counter() - before
    assert None not in found
    return {"floor-lookup": n / took}


BENCHMARKS = (
    Benchmark(
        "floor",
        files_and_records,
        tuple(
            Figure(
                f"floor-{place.value}",
                f"floor: a log file and two records for each job, {place.title}",
                "/s",
                better=Better.HIGHER,
            )
            for place in Place
        ),
        sizes=(MIDDLE,),
        runs={MIDDLE: 2},
    ),
    Benchmark(
        "lookups",
        lookups,
        (Figure("floor-lookup", "floor: look-ups of known results", "/s", better=Better.HIGHER),),
        sizes=(SMALL, MIDDLE, LARGE),
        runs={SMALL: 3, MIDDLE: 3, LARGE: 1},
    ),
)
