"""The records of the store, and the rows of the database that hold them.

A job has a record from its creation on. It ends in one of the ways of `JobEnd`, some of which
leave a result that holds for its key from then on.

The columns of a job are listed once, as the fields of `JobRecord`: the statements of
`queries.sql` and the rows are made from them.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from enum import Enum
from operator import attrgetter
from types import NoneType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self, TypeVar, get_args

from msgspec import Struct
from msgspec.structs import fields


class JobEnd(Enum):
    """How a job ended. The value is what the rows hold, and people read."""

    has_result: bool
    """True if the job left a result, which may be a failure."""

    OK = "ok"
    FAILED = "failed"
    CANCELLED = "cancelled"
    """By a person. This is a result, and stays until somebody asks for a rebuild."""
    TIMED_OUT = "timed out"
    """It ran for longer than its timeout allows."""
    SUPERSEDED = "superseded"
    """It was cancelled as nobody needed it any more, or another job took its place: no result."""
    INTERRUPTED = "interrupted"
    """Its engine was stopped or killed, or the machine failed it: no result; it is run again."""

    def __init__(self, text: str) -> None:
        # Not a property: to find a member by its name takes longer than all else of it.
        self.has_result = text not in ("superseded", "interrupted")


class HeldLog(Protocol):
    """The text of a log that has no file. From any thread."""

    def held(self) -> bytes | None:
        """All of it; None if there is a file, or no log. A file is whole before this is None."""

    def listen(self, told: Callable[[], None]) -> Callable[[], None]:
        """Have `told()` called, in any thread, when it has changed, until the function is called
        that is returned. Not told of what another process does.
        """


class HeldText:
    """The text of a log as a row has it."""

    def __init__(self, text: bytes | None) -> None:
        self._text = text

    def held(self) -> bytes | None:
        return self._text

    def listen(self, told: Callable[[], None]) -> Callable[[], None]:
        return _nothing


def _nothing() -> None:
    pass


# Nothing that a record refers to refers to it, so the garbage collector need not know it.


class JobRecord(Struct, gc=False):
    """One job, ended or not. The fields are the columns of the table `job`.

    Fields with a default, but for the version, are written again as the job goes on. (That is why
    this is not frozen: the database changes its own record of a running job in place. A reader gets
    a copy.)
    `created`, `started` and `finished` are aware, in UTC.
    """

    job_id: str
    op: str
    key: str
    key_digest: str
    value: str | None
    value_digest: str | None
    build: int
    created: datetime
    cause: str | None
    """Why it was run, as JSON."""
    level: str | None = None
    started: datetime | None = None
    """When its work began; None: not yet, or never."""
    finished: datetime | None = None
    """When it ended; None: not yet, or it was interrupted."""
    ended: JobEnd | None = None
    outcome: str | None = None
    """The JSON of what was made, or the failure's message; None without a result."""
    kind: str | None = None
    """The kind of a failure that is not the work's own."""
    rebuild: bool = False
    """Somebody asked for this result to be made again."""
    changes: int | None = None
    """The number of the set of changes that it follows from."""
    version: str | None = None
    """The version of its operation."""
    log: HeldLog | None = None
    """The log of a job that has not ended: its text is written with the rest, and read only by
    `DatabaseReader.log`.
    """

    @property
    def held(self) -> bytes | None:
        """The text of its log to be written; None if that is in a file."""
        return None if self.log is None else self.log.held()

    @property
    def ok(self) -> bool | None:
        """True for a value, False for a failure, None without a result."""
        return None if self.outcome is None else self.ended is JobEnd.OK


class BuildRecord(JobRecord, gc=False):
    """One result: a job that has ended and left one."""

    if TYPE_CHECKING:
        # Always there: the defaults are for the type checker.
        finished: datetime = datetime.min
        ended: JobEnd = JobEnd.OK
        outcome: str = ""

    @property
    def ok(self) -> bool:
        return self.ended is JobEnd.OK


class RuleRecord(Struct, frozen=True):
    """A log rule: where `pattern` matches, `report` may be the failure's message.

    Of several that match, the one with the highest `score` is taken.
    """

    pattern: str
    report: str
    score: int
    kind: str | None = None
    """The kind of a failure that it explains; None: it says nothing about that."""


# Rows


def time_text(time: datetime) -> str:
    """`time` as the rows hold it: UTC, always of the same length, so that it sorts as text."""
    if time.tzinfo is not UTC:
        if time.tzinfo is None:
            raise ValueError(f"{time!r} has no time zone: the store keeps aware times only")
        time = time.astimezone(UTC)
    return time.isoformat("T", "microseconds")[:-6] + "Z"


def storable(text: str) -> str:
    r"""`text` with lone surrogates written as ``\udcff``.

    They come from file names and output that is not UTF-8. SQLite refuses them, and a record
    that is refused would keep everything behind it from being written.
    """
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


_WRITE: dict[type, Callable[[Any], object]] = {
    datetime: time_text,
    # A fifth of the time that `value` takes.
    JobEnd: attrgetter("_value_"),
}
_READ: dict[type, Callable[[Any], object]] = {
    bool: bool,
    datetime: datetime.fromisoformat,
    JobEnd: JobEnd,
}

# Rows are typed by the schema, which mypy can't see.
Row = Sequence[Any]
Record = TypeVar("Record", bound=JobRecord)


class LastResult(NamedTuple):
    """The last result of a key: the part of its record that is needed to use it."""

    job_id: str
    build: int
    ended: JobEnd
    outcome: str
    kind: str | None
    value_digest: str | None
    finished: datetime
    rebuild: bool
    version: str | None

    @property
    def ok(self) -> bool:
        return self.ended is JobEnd.OK

    @classmethod
    def of_row(cls, row: Row) -> Self:
        """The result in a row of these columns. Raises ValueError or TypeError if it is damaged."""
        job_id, build, ended, outcome, kind, value_digest, finished, rebuild, version = row
        values = (
            job_id,
            build,
            JobEnd.OK if ended == "ok" else JobEnd(ended),
            outcome,
            kind,
            value_digest,
            datetime.fromisoformat(finished),
            rebuild == 1,
            version,
        )
        # Half the time of calling the class.
        return tuple.__new__(cls, values)

    @classmethod
    def of_record(cls, record: JobRecord) -> Self:
        """The same of a record that has a result."""
        return cls(*[getattr(record, name) for name in cls._fields])


class Columns:
    """Some columns of the table `job`, in the order of the fields."""

    def __init__(self, names: Sequence[str]) -> None:
        kinds = [_without_none(JobRecord.__annotations__[name]) for name in names]
        self.names = tuple(names)
        get = attrgetter(*names)
        # Of one name alone that gives no tuple.
        self.values = get if len(names) > 1 else lambda job: (get(job),)
        self._texts = [n for n, kind in enumerate(kinds) if kind is str]
        self._write = [(n, _WRITE[kind]) for n, kind in enumerate(kinds) if kind in _WRITE]
        self._times = [n for n, kind in enumerate(kinds) if kind is datetime]
        self._read = [(n, _READ[kind]) for n, kind in enumerate(kinds) if kind in _READ]

    def row(self, job: JobRecord) -> list[object]:
        """The values of a job, as SQLite takes them."""
        row = list(self.values(job))
        for n in self._texts:
            text = row[n]
            if text is not None and not text.isascii():
                row[n] = storable(text)
        for n, write in self._write:
            if row[n] is not None:
                row[n] = write(row[n])
        return row

    def rows(self, jobs: Iterable[JobRecord]) -> list[list[object]]:
        """The values of jobs, as JSON takes them: an end as an enumeration, and a text whatever it
        has, although JSON can't hold some. Takes a third of the time of as many rows.
        """
        rows: list[list[object]] = []
        texts: dict[datetime, str] = {}  # Many were created, or ended, at once.
        for job in jobs:
            row = list(self.values(job))
            for n in self._times:
                time = row[n]
                if time is not None:
                    row[n] = texts.get(time) or texts.setdefault(time, time_text(time))
            rows.append(row)
        return rows

    def record(self, row: Row, kind: type[Record]) -> Record:
        """The record in a row of all columns. Raises ValueError or TypeError if it is damaged."""
        values = list(row)
        for n, read in self._read:
            if values[n] is not None:
                values[n] = read(values[n])
        return kind(*values)


def copy_of(job: JobRecord, kind: type[Record]) -> Record:
    """The record of a job as it is now, to be given to others."""
    return kind(*COLUMNS.values(job))


def _without_none(hint: object) -> type:
    """The type of a column, whether it may be NULL or not."""
    kinds = [kind for kind in get_args(hint) or (hint,) if kind is not NoneType]
    assert len(kinds) == 1, hint
    found: type = kinds[0]
    return found


_FIELDS = [field for field in fields(JobRecord) if field.name != "log"]
_FIXED = {"version"}
"""The columns with a default that do not change."""

COLUMNS = Columns([field.name for field in _FIELDS])
"""All of them, but for the log."""
CHANGING = Columns([f.name for f in _FIELDS if not f.required and f.name not in _FIXED])
"""The columns that are written again as the job goes on."""
WAITING = Columns(["level"])
"""The columns that are written again before a job has begun."""
ENDING = Columns(["ended", "finished"])
"""The columns that are written at an end without a result."""
