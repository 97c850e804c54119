"""The coverage that jobs have reported: with which it is compared, and when it goes."""

from datetime import timedelta
from pathlib import Path

import pytest

from pycurrent.store import (
    Coverage,
    Database,
    DatabaseReader,
    LabelFilter,
    StateDir,
    StoreError,
    UseRecord,
)
from pycurrent.store.coverage_writer import add_coverage
from pycurrent.store.covered_lines import CoveredLines, FileLines
from pycurrent.store.errors import StoreDamaged
from pycurrent.store.gc import GcMode, collect_garbage

from .conftest import SECOND, START, Builds


def lines(covered: int, of: int = 10, *, file: str = "a.py") -> CoveredLines:
    """The first lines of a file are covered, of so many."""
    found = CoveredLines()
    found.add(file, FileLines(bits(of), bits(covered)))
    return found


def bits(count: int) -> bytes:
    """The set of the first lines."""
    return ((1 << (count + 1)) - 2).to_bytes(4, "little")


class Covering:
    """Jobs that report coverage."""

    def __init__(self, path: Path, db: Database, builds: Builds) -> None:
        self._path, self._db, self._builds = path, db, builds
        self._count = 0

    def job(self, covered: int, *stages: str, ok: bool = True, labels: str | None = None) -> str:
        self._count += 1
        job_id = self._builds.begin(f"key {self._count}")
        for stage in stages:
            self._db.add_use(UseRecord(job_id, stage, labels, START))
        self._db.commit()
        self.report(job_id, lines(covered))
        self._builds.finish(job_id, '"x"' if ok else "no", ok=ok)
        self._db.commit()
        return job_id

    def report(self, job_id: str, found: CoveredLines) -> Coverage:
        return add_coverage(self._path, job_id, found, START + self._count * SECOND)


@pytest.fixture
def covering(path: Path, db: Database, builds: Builds) -> Covering:
    return Covering(path, db, builds)


def test_a_job_is_compared_with_the_last_good_one_of_its_stage(
    covering: Covering, db: Database
) -> None:
    """Whatever other stages have done meanwhile, and failed ones of its own."""
    first = covering.job(5, "web")
    covering.job(9, "other")
    covering.job(2, "web", ok=False)
    last = covering.job(6, "web", "also")
    found = db.coverage.of_job(last)
    assert found is not None
    assert (found.path, found.coverage, found.before) == (
        "web",
        Coverage(10, 6),
        Coverage(10, 5),
    )
    assert found.change == pytest.approx(10)
    begun = db.coverage.of_job(first)
    assert begun is not None
    assert (begun.before, begun.change) == (None, None)
    assert db.coverage.of_job("nope") is None


def test_a_job_without_a_stage_has_nothing_before(covering: Covering, db: Database) -> None:
    """Nothing says with what it could be compared."""
    covering.job(5)
    found = db.coverage.of_job(covering.job(6))
    assert found is not None
    assert (found.path, found.before) == (None, None)


def test_a_job_that_is_used_again_is_compared_with_the_one_before_it(
    covering: Covering, db: Database
) -> None:
    """As when it was new: not with what came later."""
    covering.job(5, "web")
    job = covering.job(6, "web")
    covering.job(7, "web")
    db.add_use(UseRecord(job, "web", None, START))
    db.commit()
    assert [report.change for report in db.coverage.reports()] == [
        pytest.approx(10),
        pytest.approx(10),
        None,
    ]
    of_stage = [report.coverage.covered for report in db.coverage.of_stage("web")]
    assert of_stage == [6, 7, 5]
    assert db.coverage.of_stage("other") == []


def test_reports_are_chosen_as_those_of_tests(covering: Covering, db: Database) -> None:
    """By operation, time, path and label; the newest first."""
    web = covering.job(5, "a/web", labels='{"repo":"web"}')
    lib = covering.job(6, "a/lib", labels='{"repo":"lib"}')

    def chosen(**filters: object) -> list[str]:
        return [found.job_id for found in db.coverage.reports(**filters)]  # type: ignore[arg-type]

    assert chosen() == [lib, web]
    assert chosen(limit=1) == [lib]
    assert chosen(path="a/w*") == [web]
    assert chosen(labels=(LabelFilter("repo", "lib"),)) == [lib]
    assert chosen(op="frob", since=START + 2 * SECOND) == [lib]
    assert chosen(op="other") == []


def test_reports_of_one_job_are_united(covering: Covering, db: Database) -> None:
    """By file: the one that lacks most comes first."""
    job = covering.job(5)
    assert covering.report(job, lines(7)) == Coverage(10, 7)
    assert covering.report(job, lines(0, file="b.py")) == Coverage(20, 7)
    assert [(file.path, file.coverage) for file in db.coverage.files_of_job(job)] == [
        ("b.py", Coverage(10, 0)),
        ("a.py", Coverage(10, 7)),
    ]


def test_reports_at_the_same_time_lose_nothing(
    covering: Covering, db: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one whose union is out of date is made again."""
    job = covering.job(1)
    unite, others = CoveredLines.unite, [lines(3, file="b.py")]

    def interrupted(self: CoveredLines, other: CoveredLines) -> None:
        unite(self, other)
        if others:
            add_coverage(path, job, others.pop(), START)

    monkeypatch.setattr(CoveredLines, "unite", interrupted)
    assert covering.report(job, lines(4, file="c.py")) == Coverage(30, 8)
    assert len(db.coverage.files_of_job(job)) == 3


def test_a_job_without_a_record_has_no_coverage(path: Path, db: Database) -> None:
    """It says so, rather than lose it."""
    with pytest.raises(StoreError, match="has no record of job nope"):
        add_coverage(path, "nope", lines(1), START)


def test_damage_is_told(covering: Covering, db: Database, path: Path) -> None:
    """As that of every other table."""
    job = covering.job(1)
    db._connection.execute("UPDATE coverage SET files = 'x'")
    db._connection.commit()
    with DatabaseReader.open(path) as reader, pytest.raises(StoreDamaged):
        reader.coverage.files_of_job(job)
    with pytest.raises(StoreDamaged):
        covering.report(job, lines(1))


@pytest.mark.parametrize("mode", GcMode)
def test_coverage_goes_with_its_job(tmp_path: Path, mode: GcMode) -> None:
    """Another job that was compared with it has nothing before then."""
    with StateDir.open(tmp_path / "state") as state, Database.open(state.database) as db:
        builds = Builds(db)
        covering = Covering(state.database, db, builds)
        key = builds.begin("same")
        db.add_use(UseRecord(key, "web", None, START))
        db.commit()
        covering.report(key, lines(3))
        builds.finish(key)
        again = builds.begin("same")
        db.add_use(UseRecord(again, "web", None, START))
        db.commit()
        covering.report(again, lines(4))
        builds.finish(again)
        db.commit()
        report = collect_garbage(
            state, older_than=timedelta(0), now=START + timedelta(days=1), mode=mode
        )
        assert report.jobs == 1
        found = db.coverage.of_job(again)
        assert found is not None
        assert (found.before is None) is (mode is GcMode.DELETE)
        assert (db.coverage.of_job(key) is None) is (mode is GcMode.DELETE)
