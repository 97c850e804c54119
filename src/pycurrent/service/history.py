"""The records on disk, read from any process, whether an engine runs or not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self, Unpack

import msgspec
from msgspec.structs import replace

from pycurrent.engine import MuteKind
from pycurrent.engine.follow import LogSource
from pycurrent.errors import UsageError
from pycurrent.explain.feed import ChangeStory, FeedEntry, feed, story
from pycurrent.explain.health import StageHealth, health_of
from pycurrent.explain.history import (
    HistoryEntry,
    HistoryPage,
    attempts_in,
    page_of,
    recorded_job,
)
from pycurrent.explain.why import (
    Followed,
    Recent,
    UnknownSubject,
    Why,
    followed,
    mutes_in,
    recent,
    why_recorded,
)
from pycurrent.files import FileStore
from pycurrent.store import (
    AuditFilters,
    AuditRecord,
    Chain,
    ChangeFilters,
    CoverageTables,
    DatabaseReader,
    FailureFilters,
    FailureGroup,
    FailureRecord,
    HistoryFilter,
    SavedFilesReader,
    StateDir,
    TestTables,
    UseRecord,
)
from pycurrent.store.keep import SETTING, WANTED, Part, Retention
from pycurrent.store.records import storable

if TYPE_CHECKING:
    from pycurrent.explain.annotations import JobAnnotations
    from pycurrent.explain.explanation import JobExplanation
    from pycurrent.explain.markers import Markers
    from pycurrent.store.needs import Wanted
    from pycurrent.store.removed import RemovedPart
    from pycurrent.store.runs import RunLength
    from pycurrent.store.search import SearchTables

_LISTED = 5
"""How many jobs a message names at most."""


EVERYTHING = HistoryFilter()


class Records:
    """The history and the logs in a state directory. Belongs to the thread that opened it."""

    def __init__(self, state: StateDir, database: DatabaseReader) -> None:
        self._state = state
        self._database = database

    @classmethod
    @contextmanager
    def open(cls, state_dir: Path) -> Iterator[Self]:
        """Open the records within a block. Raises a `StoreError` if they can't be read."""
        state = StateDir.read(state_dir)
        database = DatabaseReader.open(state.database)
        try:
            yield cls(state, database)
        finally:
            database.close()

    def page(
        self,
        wanted: HistoryFilter,
        *,
        limit: int,
        before: str | None = None,
        seconds: float | None = None,
    ) -> HistoryPage:
        """At most `limit` jobs that pass the filter, in the order of a history, behind a place.

        Looks for them for about so many seconds, or until the page is full.
        """
        return page_of(self._database, wanted, limit=limit, before=before, seconds=seconds)

    def job(self, job_id: str) -> HistoryEntry | None:
        """The record of a job, ended or not; None if there is none."""
        return recorded_job(self._database, job_id)

    def uses_of_unended(self) -> list[UseRecord]:
        """The uses of the jobs that have not ended by stages, the newest first."""
        return self._database.uses_of_unended()

    @property
    def saved(self) -> SavedFilesReader:
        """The files that jobs have saved."""
        return self._database.saved

    @property
    def files(self) -> FileStore:
        """The contents of these files."""
        return FileStore(self._state.files)

    def removed(self, job_id: str) -> list[RemovedPart]:
        """The parts of a job that retention has removed."""
        return self._database.removed(job_id)

    @property
    def retention(self) -> Retention:
        """The rules of retention of the last engine."""
        return Retention.parse(self._database.setting(SETTING))

    def wanted(self) -> Wanted | None:
        """Tells the keys that the last engine wanted at its end: all of them once another one runs.
        None if that is not known, as one runs, or was killed.
        """
        recorded = self._database.setting(WANTED)
        if not recorded or self._state.is_in_use:
            return None
        found = msgspec.json.decode(recorded, type=dict[str, set[str]])
        state = self._state
        return lambda op, digest: digest in found.get(op, ()) or state.is_in_use

    def removed_files(self, job_id: str) -> RemovedPart | None:
        """The record that a job's files were removed by retention; None if they are kept."""
        return next((one for one in self.removed(job_id) if one.part is Part.FILES), None)

    def operations(self) -> list[str]:
        """The ids of the operations that have results, sorted."""
        return self._database.ops()

    def audit(self, **filters: Unpack[AuditFilters]) -> list[AuditRecord]:
        """The acts of people and programs that pass the filters, the newest first."""
        return self._database.audit(**filters)

    def check_audit(self, *, kept: str | None = None) -> Chain:
        """Follow the chain of the audit. `kept` is a hash that was noted earlier."""
        return self._database.check_audit(kept=kept)

    def why(self, subject: str) -> Why:
        """Why a job was run, given by its id or as `find_job` takes it, or a stage by its path last
        used one. Raises `UsageError` for what is neither.
        """
        try:
            return why_recorded(self._database, subject)
        except UnknownSubject:
            with suppress(UsageError):
                return why_recorded(self._database, self.find_job(subject))
            raise

    def health(self, path: str, *, retried: str | None = None) -> StageHealth | None:
        """The health of the stage with a path; None if no run of it is recorded. `retried` is a job
        of it that has failed and is to be tried again.
        """
        return health_of(self._database, path, retried=retried)

    def stage_jobs(self, path: str, *, limit: int) -> list[tuple[UseRecord, HistoryEntry]]:
        """The last uses of jobs by the stage with a path, the newest first; at most `limit`."""
        uses = self._database.uses_by_stage(path, limit=limit)
        found = [(use, recorded_job(self._database, use.job_id)) for use in uses]
        return [(use, entry) for use, entry in found if entry is not None]

    def lengths(self, paths: Iterable[str], *, limit: int) -> dict[str, list[RunLength]]:
        """How long the last runs took that stages have used, by the stages' paths, the newest use
        first; at most `limit` of each.
        """
        names = {storable(path): path for path in paths}
        found: dict[str, list[RunLength]] = {}
        for one in self._database.lengths_of_stages(names, limit=limit):
            found.setdefault(names[one.path], []).append(one)
        return found

    def newest_good(self, path: str) -> str | None:
        """The id of the job whose good result the stage with a path has used last."""
        return self._database.newest_good(path)

    def last_good_before(self, job_id: str) -> str | None:
        """The id of the last good run before a job, of the same stage or key."""
        from pycurrent.explain.last_good import last_good_before  # few ask for it

        return last_good_before(self._database, job_id)

    def recent(self, since: datetime) -> Recent:
        """The jobs that were created from a time on, by the changes that they follow from."""
        return recent(self._database, since)

    def followed(self, change: int) -> Followed:
        """A change by its number, and the jobs that follow from it."""
        return followed(self._database, change)

    def changes(self, filters: ChangeFilters, *, limit: int) -> list[FeedEntry]:
        """The changes from outside that pass the filters, the newest first; at most `limit`."""
        return list(feed(self._database, filters, limit=limit))

    def change(self, number: int, *, limit: int) -> ChangeStory | None:
        """A change by its number, with at most `limit` of its jobs; None if there is none."""
        return story(self._database, number, limit=limit)

    def failure(self, job_id: str) -> FailureRecord | None:
        """Why a job has failed; None if it has not, or nothing was recorded about it."""
        return self._database.failures.of_job(job_id)

    def attempts(self, job_id: str) -> int:
        """How often its work was tried in a row, the job included."""
        return attempts_in(self._database.job(job_id))

    def failures(self, filters: FailureFilters, *, limit: int) -> list[FailureGroup]:
        """The failures, those with one kind and one cause together, the newest first."""
        groups = self._database.failures.groups(limit=limit, **filters)
        muted = {
            mute.what.name: mute.words
            for mute in mutes_in(self._database)
            if mute.what.kind is MuteKind.FINGERPRINT
        }
        return [replace(group, muted=muted.get(group.fingerprint)) for group in groups]

    def standing_failures(self, filters: FailureFilters, *, limit: int) -> list[str]:
        """The failed jobs that are the last ones of their keys, the newest first."""
        return self._database.failures.standing(limit=limit, **filters)

    @property
    def tests(self) -> TestTables:
        """The tests that jobs have reported."""
        return self._database.tests

    @property
    def searching(self) -> SearchTables:
        """A search for texts."""
        return self._database.searching

    @property
    def coverage(self) -> CoverageTables:
        """The coverage that jobs have reported."""
        return self._database.coverage

    def annotations(self, job_id: str, markers: Markers | None, *, limit: int) -> JobAnnotations:
        """The annotations of a job, the worst ones first: at most `limit`. The ones that it has
        printed are in the `markers` of its log.
        """
        from pycurrent.explain.annotations import job_annotations

        return job_annotations(self._database, job_id, markers, limit=limit)

    def explain(self, job_id: str) -> JobExplanation | None:
        """All that explains a job; None if it has no record."""
        # Imported here, as it takes a while, and few who read the records ask for it.
        from pycurrent.explain.explanation import explain_job

        record = self._database.job(job_id)
        if record is None:
            return None
        log = None
        with suppress(UsageError):
            log = self.log(job_id)
        return explain_job(self._database, record, log)

    def find_job(self, text: str) -> str:
        """Find the id of a job by the whole id, by its beginning or end, or by `last`.

        Raises `UsageError` unless exactly one job matches.
        """
        if text == "last":
            newest = self._database.newest_job()
            if newest is None:
                raise UsageError(f"no job has been run with the state directory {self._state.path}")
            return newest
        # A log without a record is found, too: by its whole id.
        if self._state.job_path(text).is_file() or self._database.job(text) is not None:
            return text
        return self._only(text, self._database.ids(text))

    def _only(self, text: str, matching: list[str]) -> str:
        match matching:
            case [job_id]:
                return job_id
            case []:
                raise UsageError(
                    f"no job in {self._state.path} has an id that begins or ends with {text!r}:"
                    " `pycurrent history` lists them"
                )
            case _:
                named = ", ".join(matching[-_LISTED:])
                raise UsageError(
                    f"{len(matching)} jobs have an id that begins or ends with {text!r}: name one"
                    f" of them, such as {named}"
                )

    def log(self, job_id: str) -> LogSource:
        """The log of a job. Raises `UsageError` if the log does not exist."""
        log = LogSource(self._state.job_path(job_id), _Row(self._database, job_id))
        try:
            log.open().close()
        except FileNotFoundError:
            found = [one for one in self.removed(job_id) if one.part is Part.LOG]
            why = str(found[0]) if found else "`pycurrent gc` may have removed it"
            raise UsageError(
                f"the log of job {job_id} is not in {self._state.path} any more: {why}"
            ) from None
        return log

    def is_running(self, job_id: str) -> bool:
        """True if the job has not ended and its engine has not been killed."""
        record = self._database.job(job_id)
        unended = record is not None and record.ended is None
        return unended and self._state.is_in_use


@dataclass(frozen=True, slots=True)
class _Row:
    """The log of a job as its row has it now, which another process may write. For one thread."""

    database: DatabaseReader
    job_id: str

    def held(self) -> bytes | None:
        return self.database.log(self.job_id)

    def listen(self, told: Callable[[], None]) -> Callable[[], None]:
        return lambda: None
