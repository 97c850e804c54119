"""The files that jobs have saved in the store of contents: which job has saved which."""

from collections.abc import Callable, Iterator, Sequence

from pycurrent.store.records import Row
from pycurrent.store.saved_record import SavedRecord

Read = Callable[[str, tuple[object, ...]], list[Row]]


class SavedFilesReader:
    """The table of saved files of a database."""

    def __init__(self, read: Read) -> None:
        self._read = read

    def _unsaved(self) -> Iterator[Sequence[SavedRecord]]:
        """The records that are not in the file yet."""
        return iter(())

    def savers(self, digest: str) -> list[str]:
        """The ids of the jobs that have saved something with this digest, the newest first."""
        found = {job for (job,) in self._read("savers", (digest,))}
        for unsaved in self._unsaved():
            found |= {record.job_id for record in unsaved if record.digest == digest}
        return sorted(found, reverse=True)

    def of_job(self, job_id: str) -> list[SavedRecord]:
        """The files that a job has saved, by name."""
        rows = self._read("saved_by", (job_id,))
        found = dict.fromkeys(map(SavedRecord.of_row, rows))
        for unsaved in self._unsaved():
            found |= {record: None for record in unsaved if record.job_id == job_id}
        return sorted(found, key=lambda record: (record.name, record.digest))

    def newest(self, *, limit: int) -> list[SavedRecord]:
        """The files that were saved last, the newest first, as far as that is written."""
        return [SavedRecord.of_row(row) for row in self._read("newest_saved", (limit,))]

    def by_operation(self) -> list[tuple[str, int, int]]:
        """For each operation how often its jobs have saved something, and the bytes of that, the
        largest first; content that several have saved counts for each.
        """
        return [(op, times, size) for op, times, size in self._read("saved_sizes", ())]
