"""The tests that jobs have reported: what is found of them, and when it goes."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from pycurrent.store import (
    Database,
    LabelFilter,
    StateDir,
    StoreError,
    TestCase,
    TestCounts,
    TestResult,
    UseRecord,
)
from pycurrent.store.gc import GcMode, collect_garbage
from pycurrent.store.test_writer import TestCaseWriter

from .conftest import SECOND, START, Builds

PASSED, FAILED, ERROR, SKIPPED = TestResult


def case(name: str, result: TestResult = PASSED, *, took: float | None = None, retries: int = 0,
         message: str | None = None) -> TestCase:  # fmt: skip
    """A test of one suite."""
    return TestCase(
        suite="s", name=name, result=result, took=took, retries=retries, message=message
    )


class Tested:
    """Jobs that report tests."""

    __test__ = False

    def __init__(self, path: Path, db: Database, builds: Builds) -> None:
        self._path, self._db, self._builds = path, db, builds
        self._count = 0

    def job(self, cases: Sequence[TestCase], *, key: str = "a", op: str = "frob",
            stage: str | None = None, labels: str | None = None) -> str:  # fmt: skip
        job_id = self._builds.begin(key, op=op)
        if stage is not None:
            self._db.add_use(UseRecord(job_id, stage, labels, START))
        self._db.commit()
        self.report(job_id, cases)
        self._builds.finish(job_id)
        self._db.commit()
        return job_id

    def report(self, job_id: str, cases: Sequence[TestCase]) -> None:
        self._count += 1
        of = [one.result for one in cases]
        counts = TestCounts(of.count(PASSED), of.count(FAILED), of.count(ERROR), of.count(SKIPPED))
        with TestCaseWriter.open(self._path, job_id) as writer:
            writer.add(cases)
            writer.end(counts, START + self._count * SECOND)


@pytest.fixture
def tested(path: Path, db: Database, builds: Builds) -> Tested:
    return Tested(path, db, builds)


def test_tests_of_a_job_by_page_and_result(tested: Tested, db: Database) -> None:
    """In the order of the report, or the slowest first."""
    many = [case(f"t{n}", took=n / 100) for n in range(1200)]
    many[700] = case("bad", FAILED, took=0.0, message="no")
    many[800] = case("flaky", retries=2, message="at first")
    many[900] = case("later", SKIPPED)
    job = tested.job(many)
    found = db.tests.of_job(job, limit=2000)
    assert found == many
    assert db.tests.of_job(job, limit=2, skip=699) == many[699:701]
    assert db.tests.of_job(job, results=[FAILED, ERROR]) == [many[700]]
    assert db.tests.of_job(job, flaky=True) == [many[800]]
    assert [one.name for one in db.tests.of_job(job, slowest=True, limit=1)] == ["t1199"]
    assert len(db.tests.of_job(job, results=[PASSED], limit=2000)) == 1198
    assert db.tests.counts("2026-11-22/084703-frob-ffffff") is None


def test_tests_that_failed_lately(tested: Tested, db: Database) -> None:
    """The one that failed last first, with how often, and what it said then."""
    tested.job([case("a", FAILED, message="first"), case("b", ERROR), case("c")])
    last = tested.job([case("a", FAILED, message="last"), case("b"), case("c")], key="b")
    found = db.tests.failed()
    assert [(one.name, one.times, one.runs, one.message) for one in found] == [
        ("a", 2, 2, "last"),
        ("b", 1, 2, None),
    ]
    assert found[0].newest == last
    assert [one.name for one in db.tests.failed(jobs=1)] == ["a"]


def test_flaky_tests(tested: Tested, db: Database) -> None:
    """They failed and passed for one key, or when they were tried again; not for two keys."""
    tested.job([case("one key", FAILED), case("two keys", FAILED), case("again", retries=1)])
    tested.job([case("one key"), case("two keys", FAILED)])
    tested.job([case("two keys")], key="b")
    assert {one.name for one in db.tests.flaky()} == {"one key", "again"}


def test_slow_tests(tested: Tested, db: Database) -> None:
    """In the mean over the jobs that were looked at; those without a time have none."""
    tested.job([case("a", took=1.0), case("b", took=3.0), case("c")])
    tested.job([case("a", took=4.0), case("b", took=1.0)], key="b")
    assert [(one.name, one.took, one.times) for one in db.tests.slow()] == [
        ("a", 2.5, 2),
        ("b", 2.0, 2),
    ]


def test_runs_of_a_test(tested: Tested, db: Database) -> None:
    """By its name, or with its suite; the newest first."""
    first = tested.job([case("a", FAILED, message="no")])
    second = tested.job([case("a")], key="b")
    for name, suite in (("a", None), ("s: a", None), ("a", "s")):
        runs = db.tests.runs(name, suite=suite)
        assert [(run.job_id, run.case.result) for run in runs] == [
            (second, PASSED),
            (first, FAILED),
        ]
    assert db.tests.runs("a", suite="other") == []


def test_filters_of_the_jobs(tested: Tested, db: Database) -> None:
    """By operation, stage, label and time, as the history has them."""
    web = tested.job([case("a", FAILED)], stage="web/test", labels='{"repo":"web"}')
    tested.job([case("a", FAILED)], key="b", op="other", stage="api/test")

    def jobs(**filters: object) -> list[str]:
        return [report.job_id for report in db.tests.reports(**filters)]  # type: ignore[arg-type]

    assert jobs(op="frob") == [web]
    assert jobs(path="web/*") == [web]
    assert jobs(labels=(LabelFilter("repo", "web"),)) == [web]
    assert jobs(since=START + 2 * SECOND) != [web]
    assert [one.newest for one in db.tests.failed(path="web/test")] == [web]
    assert db.tests.runs("a", op="nope") == []


def test_a_report_that_was_not_taken_to_its_end_is_not_shown(
    tested: Tested, db: Database, builds: Builds, path: Path
) -> None:
    """The engine was killed: the counts, which come last, are not there."""
    job = builds.begin()
    db.commit()
    with TestCaseWriter.open(path, job) as writer:
        writer.add([case(f"t{n}", FAILED) for n in range(600)])
    assert db.tests.of_job(job) == []
    assert db.tests.failed() == []


def test_a_job_without_a_record_has_no_tests(path: Path, db: Database) -> None:
    """It says so, rather than lose them."""
    with (
        pytest.raises(StoreError, match="has no record of job nope"),
        TestCaseWriter.open(path, "nope"),
    ):
        pass


@pytest.mark.parametrize("mode", GcMode)
def test_tests_go_with_their_jobs(tmp_path: Path, mode: GcMode) -> None:
    """And names that no job has any more; what a kept job has run stays."""
    with StateDir.open(tmp_path / "state") as state, Database.open(state.database) as db:
        tested = Tested(state.database, db, Builds(db))
        old = tested.job(
            [case("both"), *[case(f"old {n}", FAILED, message="no") for n in range(40)]]
        )
        new = tested.job([case("both")])
        report = collect_garbage(
            state, older_than=timedelta(0), now=START + timedelta(days=1), mode=mode
        )
        gone = {kind.names: number for kind, number in report.explanations.items()}
        assert (report.jobs, gone["tests"]) == (1, 40)
        left = [row for table in ("test", "test_case", "test_message", "test_report")
                for row in db._connection.execute(f"SELECT '{table}' FROM {table}")]  # fmt: skip
        if mode is GcMode.DELETE:
            assert sorted(left) == [("test",), ("test_case",), ("test_report",)]
            assert db.tests.counts(old) is None
        else:
            assert len(left) > 80
        assert db.tests.counts(new) == TestCounts(passed=1)
