"""Removes logs, files and reports of jobs whose records stay, as rules of retention say.

The jobs that have ended are looked at in batches, the last one first, so that a rule can count
them. A part is first recorded as removed, then it goes, and then that is recorded: killed in
between, the next run goes on with it. Contents of files go by the sweep that follows, which asks
the same records.

Whether it is needed is looked up last, just before it is recorded as removed: see `needs.py`.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from msgspec import Struct, json

from pycurrent.store.keep import Keep, Part, Retention
from pycurrent.store.needs import Needs, Wanted
from pycurrent.store.records import Row, time_text
from pycurrent.store.removal import Removal
from pycurrent.store.state_dir import StateDir

# Jobs looked at in one go: some milliseconds.
_LOOKED_AT = 500
# Tests of a job that count as one row.
_TESTS_AT_ONCE = 10
_BEHIND_ALL = "9999"
_LAST_NUMBER = 2**63 - 1

ContentsOf = Callable[[str, bool, int], Iterable[tuple[bytes, int]]]
"""Gives the contents that a row names, each with its bytes: called with a digest, whether it is a
tree's, and its bytes.
"""


class Taken(Struct):
    """How much of one part of jobs went, by one rule, of one operation."""

    jobs: int = 0
    bytes: int = 0
    """Of logs and files; content that several jobs have saved counts for each."""


TakenBy = dict[tuple[str, Part, str], Taken]
"""By the rule, the part, and the operation."""


class Run(Struct, frozen=True):
    """All that a run of the garbage collector has."""

    state_dir: StateDir
    connection: sqlite3.Connection
    queries: Mapping[str, str]
    removal: Removal | None
    """None in a dry run."""
    now: datetime
    tell: Callable[[], None]
    """Called often."""

    def read(self, query: str, parameters: Mapping[str, object] | Sequence[object]) -> list[Row]:
        """The rows of a named query."""
        return self.connection.execute(self.queries[query], parameters).fetchall()

    def change(self, statements: Sequence[str], rows: Sequence[Row]) -> None:
        """Run named statements for each of the rows."""
        assert self.removal is not None
        for _ in self.removal.parts([self.queries[name] for name in statements], rows):
            self.tell()


class LogRemover(Protocol):
    """Removes the file of a log, if there is one, and counts it."""

    def __call__(self, log: Path) -> bool:
        """False if it can't be removed."""


class _Ended(Struct, frozen=True):
    """A job that has ended."""

    seq: int
    job_id: str
    op: str
    key_digest: str
    ok: bool
    at: str
    removed: str | None
    log_bytes: int | None
    """Of a log in its row; None: there may be a file."""
    has_files: bool
    has_reports: bool

    @property
    def parts(self) -> list[Part]:
        """The parts that it may have."""
        gone = (self.removed or "").split(",")
        has = {Part.LOG: True, Part.FILES: self.has_files, Part.TESTS: self.has_reports}
        return [part for part in Part if has[part] and part.value not in gone]


class _Removable(Struct, frozen=True):
    """A part of a job, which a rule lets go."""

    seq: int
    job_id: str
    key: tuple[str, str]
    """The operation, and the digest of its key."""
    part: Part
    rule: str
    log_bytes: int | None = None


class Retaining:
    """The removal of such parts, in one run."""

    def __init__(
        self,
        run: Run,
        retention: Retention,
        wanted: Wanted | None,
        remove_log: LogRemover,
        taken: TakenBy,
    ) -> None:
        self._run = run
        self._retention = retention
        self._rules = _Rules(run, retention.rules)
        self._needs = Needs(run.connection, run.queries, wanted)
        self._remove_log = remove_log
        self._taken = taken
        self.log_bytes = 0
        """Of the logs that were in rows."""

    @property
    def unmatched(self) -> list[Keep]:
        """The rules with an operation that no job has which has ended."""
        return self._rules.unmatched

    def collect(self) -> None:
        """Remove what no rule keeps, and is not needed."""
        if self._run.removal is not None:
            self._resume()
        if self._retention.rules:
            for batch in self._ended_jobs():
                self._take(list(self._rules.let_go(batch)))
                self._run.tell()

    def bound(self, contents_of: ContentsOf) -> None:
        """Remove the oldest files that are not needed, until the others fit in the size that is
        allowed.
        """
        allowed = self._retention.max_size
        if allowed is None:
            return
        total, kept, removable = 0, set[bytes](), dict[int, tuple[_Removable, list[Row]]]()
        rule = f"max_size={allowed}"

        def more(row: Row) -> int:
            new = 0
            for content, size in contents_of(*row):
                if content not in kept:
                    kept.add(content)
                    new += size
            return new

        for batch in self._saved():
            held = self._needs.held({seq: (op, key) for *_, seq, _, op, key in batch if seq})
            for _, digest, is_tree, size, seq, job_id, op, key in batch:
                row = (digest, bool(is_tree), size)
                if seq is None or seq in held or self._needs.uses([digest]):
                    total += more(row)
                else:
                    part = _Removable(seq, job_id, (op, key), Part.FILES, rule)
                    removable.setdefault(seq, (part, []))[1].append(row)
            self._run.tell()
        going: list[_Removable] = []
        for part, rows in removable.values():
            total += 0 if going else sum(more(row) for row in rows)
            if total > allowed:
                going.append(part)
            self._run.tell()
        for first in range(0, len(going), _LOOKED_AT):
            self._take(going[first : first + _LOOKED_AT])

    def _resume(self) -> None:
        """Go on with what an earlier run has begun to remove."""
        found = self._run.read("half_removed", ())
        for part in Part:
            self._remove(part, [(seq, job) for seq, job, name in found if name == part.value])

    def _ended_jobs(self) -> Iterator[list[_Ended]]:
        at, seq = _BEHIND_ALL, _LAST_NUMBER
        while True:
            began = time.monotonic()
            place = {"at": at, "seq": seq, "size": _LOOKED_AT}
            batch = [_Ended(*row) for row in self._run.read("ended_jobs", place)]
            yield batch
            if len(batch) < _LOOKED_AT:
                return
            at, seq = batch[-1].at, batch[-1].seq
            self._pause(began)

    def _saved(self) -> Iterator[list[Row]]:
        before = _LAST_NUMBER
        while True:
            began = time.monotonic()
            place = {"before": before, "size": _LOOKED_AT}
            batch = self._run.read("saved_by_newest", place)
            yield batch
            if len(batch) < _LOOKED_AT:
                return
            before = batch[-1][0]
            self._pause(began)

    def _pause(self, began: float) -> None:
        """Leave the processor to an engine for as long as that has taken."""
        if self._run.state_dir.is_in_use:
            time.sleep(time.monotonic() - began)

    def _take(self, found: Sequence[_Removable]) -> None:
        """Remove these parts of jobs, but those that are needed."""
        if not found:
            return
        held = self._needs.held({one.seq: one.key for one in found})
        free = [one for one in found if one.seq not in held]
        for part in Part:
            some = [one for one in free if one.part is part]
            if part is Part.FILES and some:
                some = self._without_used(some)
            elif part is Part.LOG:
                self._count_logs(some)
            for one in some:
                self._count(one).jobs += 1
            if some and self._run.removal is not None:
                self._mark(part, some)
            elif part is Part.FILES:
                self._run.connection.executemany(
                    self._run.queries["forget_files"], [(one.seq,) for one in some]
                )

    def _mark(self, part: Part, some: Sequence[_Removable]) -> None:
        # Files are gone as soon as that is recorded: the sweep needs nothing else.
        at, done = time_text(self._run.now), int(part is Part.FILES)
        rows = [(part.value, at, one.rule, done, one.seq) for one in some]
        self._run.change(["remove_part"], rows)
        if not done:
            self._remove(part, [(one.seq, one.job_id) for one in some])

    def _remove(self, part: Part, jobs: Sequence[tuple[int, str]]) -> None:
        """Remove a part of jobs that is recorded as removed."""
        gone = jobs
        if part is Part.LOG and jobs:
            self._run.change(["clear_log"], [(seq,) for seq, _ in jobs])
            path = self._run.state_dir.job_path
            gone = [(seq, job_id) for seq, job_id in jobs if self._remove_log(path(job_id))]
        elif part is Part.TESTS and jobs:
            remove_tests(self._run, [seq for seq, _ in jobs])
            self._run.change(
                ["delete_annotations", "forget_covered_lines"], [(seq,) for seq, _ in jobs]
            )
        self._run.change(["part_is_removed"], [(seq, part.value) for seq, _ in gone])

    def _without_used(self, some: Sequence[_Removable]) -> list[_Removable]:
        """The jobs whose files no unended job names; counts the bytes of these."""
        ids = json.encode([one.job_id for one in some]).decode()
        rows = self._run.read("digests_saved_by", (ids,))
        used = {job_id for job_id, digest, _ in rows if self._needs.uses([digest])}
        sizes = Counter[str]()
        for job_id, _, size in rows:
            sizes[job_id] += size
        free = [one for one in some if one.job_id not in used]
        for one in free:
            self._count(one).bytes += sizes[one.job_id]
        return free

    def _count_logs(self, some: Sequence[_Removable]) -> None:
        for one in some:
            size = one.log_bytes
            if size is None:
                try:
                    size = self._run.state_dir.job_path(one.job_id).lstat().st_size
                except OSError:
                    size = 0
            else:
                self.log_bytes += size
            self._count(one).bytes += size
            if self._run.removal is None:
                self._remove_log(self._run.state_dir.job_path(one.job_id))

    def _count(self, one: _Removable) -> Taken:
        return self._taken.setdefault((one.rule, one.part, one.key[0]), Taken())


class _Rules:
    """The rules of one run, with the jobs that they have counted."""

    def __init__(self, run: Run, rules: Sequence[Keep]) -> None:
        self._run = run
        self._rules = rules
        self._by_op: dict[str, list[int]] = {}
        """The places of the rules that may be for an operation."""
        self._counts: Counter[tuple[int, str]] = Counter()
        self._have_labels = any(rule.labels for rule in rules)

    @property
    def unmatched(self) -> list[Keep]:
        """The rules with an operation that no job has had."""
        met = {place for places in self._by_op.values() for place in places}
        return [
            rule
            for place, rule in enumerate(self._rules)
            if rule.op is not None and place not in met
        ]

    def let_go(self, batch: Sequence[_Ended]) -> Iterator[_Removable]:
        """The parts of jobs that no rule keeps."""
        labels = self._labels_of(batch) if self._have_labels else {}
        for job in batch:
            deciding = self._deciding(job, labels.get(job.seq, []))
            ranks = {place: self._counts[place, job.op] for place in {*deciding.values()}}
            for place in ranks:
                self._counts[place, job.op] += 1
            age = self._run.now - datetime.fromisoformat(job.at)
            for part in job.parts:
                if part not in deciding:
                    continue
                place = deciding[part]
                rule = self._rules[place]
                if not rule.keeps(rank=ranks[place], age=age, ok=job.ok):
                    key = (job.op, job.key_digest)
                    yield _Removable(job.seq, job.job_id, key, part, str(rule), job.log_bytes)

    def _deciding(self, job: _Ended, labels: Sequence[Mapping[str, str]]) -> dict[Part, int]:
        """For each part, the place of the first rule that matches."""
        if job.op not in self._by_op:
            self._by_op[job.op] = [
                place for place, rule in enumerate(self._rules) if rule.matches_op(job.op)
            ]
        found: dict[Part, int] = {}
        for place in self._by_op[job.op]:
            if self._rules[place].matches_labels(labels):
                for part in self._rules[place].of:
                    found.setdefault(part, place)
        return found

    def _labels_of(self, batch: Sequence[_Ended]) -> dict[int, list[Mapping[str, str]]]:
        numbers = f"[{','.join(str(job.seq) for job in batch)}]"
        found: dict[int, list[Mapping[str, str]]] = {}
        for seq, labels in self._run.read("label_sets_of", (numbers,)):
            found.setdefault(seq, []).append(json.decode(labels))
        return found


def remove_tests(run: Run, jobs: Sequence[int]) -> None:
    """Remove the tests that jobs have reported, by their numbers; how many they were stays. One may
    have 100,000, so they go in parts.
    """
    parts: list[Row] = []
    given = (f"[{','.join(map(str, jobs))}]",)
    for seq, last in run.read("tests_of_garbage", given):
        parts += [
            (seq, first, first + _TESTS_AT_ONCE - 1) for first in range(0, last + 1, _TESTS_AT_ONCE)
        ]
    run.change(["delete_test_messages", "delete_test_cases"], parts)
