"""A state directory with jobs of the past, for the tests of what is removed of them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from pycurrent.files import FileStore
from pycurrent.files.collecting import sweeping
from pycurrent.store import (
    Annotation,
    Database,
    HeldText,
    JobEnd,
    JobRecord,
    OverrideKind,
    OverrideRecord,
    SavedRecord,
    StateDir,
    TestCase,
    TestCounts,
    TestResult,
    UseRecord,
    add_annotations,
    labels_text,
)
from pycurrent.store.coverage_writer import add_coverage
from pycurrent.store.covered_lines import CoveredLines, FileLines
from pycurrent.store.gc import GcMode, GcReport, collect_garbage
from pycurrent.store.keep import Keep, Part, Retention
from pycurrent.store.sweep import Progress
from pycurrent.store.test_writer import TestCaseWriter

NOW = datetime(2027, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


class Past:
    """Makes jobs that ended long ago, and has old parts of them removed."""

    def __init__(self, state: StateDir, database: Database) -> None:
        self.state = state
        self.database = database
        self.store = FileStore(state.files)
        self.store.make()
        self._builds: dict[tuple[str, str], int] = {}

    def job(
        self,
        op: str = "build",
        key: str = "a",
        *,
        ago: float = 100,
        end: JobEnd | None = JobEnd.OK,
        stage: str | None = None,
        labels: Mapping[str, str] | None = None,
        saves: Iterable[str] = (),
        tests: int = 0,
        remarks: int = 0,
        covered: int = 0,
        held: bool = False,
    ) -> str:
        """A job that ended so many days `ago`; None: it has not ended. It `saves` these texts, and
        reports so many failed tests, annotations and covered lines.
        """
        when = NOW - ago * DAY
        job_id = self.state.new_job_id(op, when)
        build = self._builds.setdefault((op, key), 0)
        record = JobRecord(job_id, op, key, key, None, None, build, when, None)
        if held:
            record.log = HeldText(b"a line\n")
        else:
            log = self.state.job_path(job_id)
            log.parent.mkdir(exist_ok=True)
            log.write_text("a line\n")
        self.database.insert_job(record)
        if stage is not None:
            self.database.add_use(UseRecord(job_id, stage, labels_text(labels or {}), when))
        for text in saves:
            self.save(job_id, text, when)
        self.database.commit()
        if tests:
            self._report(job_id, tests, when)
        if remarks:
            add_annotations(self.state.database, job_id, [Annotation("a.py", 1, "bad")] * remarks)
        if covered:
            lines, bits = CoveredLines(), ((2 << covered) - 2).to_bytes(8, "little")
            lines.add("a.py", FileLines(bits, bits))
            add_coverage(self.state.database, job_id, lines, when)
        if end is not None:
            outcome = "1" if end.has_result else None
            self.database.finish_job(job_id, end, finished=when, outcome=outcome)
            self._builds[op, key] += end.has_result
        self.database.commit()
        return job_id

    def save(self, job_id: str, text: str, when: datetime = NOW) -> str:
        """Keep a content for a job; gives its digest."""
        with self.store.writing() as writer:
            digest = writer.add(text.encode())
        record = SavedRecord(job_id, digest, f"{text[:8]}.txt", None, len(text), 0o644, when)
        self.database.saved_files.add(record)
        return digest

    def _report(self, job_id: str, count: int, when: datetime) -> None:
        cases = [
            TestCase(suite="s", name=f"t{n}", result=TestResult.FAILED, message="why")
            for n in range(count)
        ]
        with TestCaseWriter.open(self.state.database, job_id) as writer:
            writer.add(cases)
            writer.end(TestCounts(failed=count), when)

    def pin(self, job_id: str) -> None:
        """Hold a stage at the result of a job."""
        pin = OverrideRecord(kind=OverrideKind.PIN, subject=job_id, at=NOW, job=job_id)
        self.database.set_override(pin)
        self.database.commit()

    def collect(
        self,
        *rules: Keep,
        wanted: Iterable[tuple[str, str]] | None = (),
        max_size: int | None = None,
        mode: GcMode = GcMode.DELETE,
        progress: Progress = lambda line: None,
    ) -> GcReport:
        """Remove what may go; None for `wanted` is as another process does it."""
        keys = None if wanted is None else set(wanted)
        return collect_garbage(
            self.state,
            retention=Retention(rules, max_size),
            wanted=None if keys is None else lambda op, key: (op, key) in keys,
            now=NOW,
            mode=mode,
            progress=progress,
            sweep=sweeping(self.store),
        )

    def parts(self, job_id: str) -> set[Part]:
        """The parts of a job that are there, and not recorded as removed."""
        gone = {one.part for one in self.database.removed(job_id)}
        log, saved = self.state.job_path(job_id), self.database.saved.of_job(job_id)
        there = set[Part]()
        if log.exists() or self.database.log(job_id) is not None:
            there.add(Part.LOG)
        if saved and all(self.store.has(one.digest, one.size) for one in saved):
            there.add(Part.FILES)
        reported = (
            self.database.tests.of_job(job_id),
            self.database.annotations.of_job(job_id),
            self.database.coverage.files_of_job(job_id),
        )
        if any(reported):
            there.add(Part.TESTS)
        return there - gone

    @property
    def contents(self) -> Sequence[str]:
        """The texts that are kept."""
        found = (self.state.files / "objects").glob("*/*")
        return sorted(path.read_text() for path in found)
