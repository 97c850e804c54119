"""Reads the history: jobs in the order in which they ended, by page.

First come the jobs that have not ended, the one created last first, if they are asked for; then
those that have, by when they finished, the last first. An interrupted job has no such time: it
comes where it started, or was created. A page begins behind the place of the last row before it,
which stays that row's own however many jobs end meanwhile.

An index has the jobs of the filter that leaves the fewest in that order, as a rule. Jobs for
other filters are looked for among these, in windows of rows, until the page is full or the time is
up. Then the page says that it stopped, and the next one goes on from there. Stages and labels that
few jobs have are found by their uses instead, and put in order.
"""

import sqlite3
from collections.abc import Iterator
from time import monotonic

from msgspec import Struct

from pycurrent.store.history_filter import SHOWN, HistoryCursor, HistoryFilter
from pycurrent.store.records import COLUMNS, JobEnd, Row, storable, time_text
from pycurrent.store.use_filter import UseFilter

SECONDS = 0.03
"""How long a page looks for jobs, where others wait for it."""

_END = "coalesce(finished, started, created)"
_TAG = "substr(cause, 4, instr(cause, '\":') - 4)"
_FIRST_BUILD = "NeverBuilt"
_IS_FIRST_BUILD = "cause = '{\"$NeverBuilt\":{}}'"
_NO_FIRST_BUILD = "cause <> '{\"$NeverBuilt\":{}}'"
_HAS_FAILED = "outcome IS NOT NULL AND ended <> 'ok'"
_HAS_NO_RESULT = "(ended = 'superseded' OR ended = 'interrupted')"
_HAS_PREFIX = "job_id >= :prefix AND job_id < :prefix || char(0x10FFFF)"
_AT_PLACE = "place = :place OR (place >= :place || ' (' AND place < :place || ' )')"
_FAILURES = frozenset({JobEnd.FAILED, JobEnd.CANCELLED, JobEnd.TIMED_OUT})
_NO_RESULTS = frozenset({JobEnd.SUPERSEDED, JobEnd.INTERRUPTED})

_FEW = 5_000
"""So many jobs are put in order, if their uses have been found by a label or a path."""
_WINDOW = 2_000
"""How many rows are looked at first."""
_LONGEST_WINDOW = 32_000


class HistoryRows(Struct, frozen=True):
    """A page of a history."""

    rows: list[Row]
    next: HistoryCursor | None
    """The place behind which the next page begins; None on the last page."""
    is_complete: bool
    """False if the time was up before the page was full: the next page may have more."""


class HistoryQuery:
    """Reads the pages of one filter."""

    def __init__(self, connection: sqlite3.Connection, wanted: HistoryFilter) -> None:
        self._connection = connection
        self._wanted = wanted
        self._ends = wanted.ends or SHOWN
        self._values: dict[str, object] = {}
        self._uses = UseFilter(wanted.path, wanted.labels)
        self._conditions = [*self._row_conditions()]
        used = self._uses.condition("job.seq")
        if used is not None:
            self._conditions.append(used)
        self._values |= self._uses.values

    def page(
        self, *, limit: int, before: HistoryCursor | None = None, seconds: float | None = None
    ) -> HistoryRows:
        """At most `limit` jobs, those behind a place. Looks for them for about that many seconds,
        or until it knows.
        """
        deadline = None if seconds is None else monotonic() + seconds
        rows: list[Row] = []
        for source in self._sources(before):
            place = before if before is not None and before.has_ended == source.has_ended else None
            found = self._walk(source, place, limit + 1 - len(rows), deadline)
            rows += found.rows
            if not found.is_complete:
                return HistoryRows([row[2:] for row in rows], found.next, False)
            if len(rows) > limit:
                at, seq, *_ = rows[limit - 1]
                has_ended = rows[limit - 1][2 + _ENDED] is not None
                return HistoryRows(
                    [row[2:] for row in rows[:limit]], HistoryCursor(at, seq, has_ended), True
                )
        return HistoryRows([row[2:] for row in rows], None, True)

    # Sources

    def _sources(self, before: HistoryCursor | None) -> Iterator["_Source"]:
        """Where the jobs are read from, in order."""
        wanted = self._wanted
        if None in self._ends and (before is None or not before.has_ended):
            yield _Source("created", "ended IS NULL", "INDEXED BY job_unended", has_ended=False)
        if self._ends == {None}:
            return
        few = self._few()
        if wanted.key is not None:
            yield _ended("job_key", "key = :key")
        elif few is not None:
            if few:
                yield _Source(_END, f"ended IS NOT NULL AND seq IN ({few})", "", is_small=True)
        elif wanted.kind not in {None, "real"}:
            yield _ended("job_kind", "kind = :kind AND kind IS NOT NULL")
        elif wanted.rebuild:
            yield _ended("job_to_rebuild", "rebuild = 1")
        elif wanted.ok is False or wanted.kind is not None or self._ends <= _FAILURES:
            yield _ended("job_failed", _HAS_FAILED)
        elif self._ends <= _NO_RESULTS:
            yield _ended("job_no_result", _HAS_NO_RESULT)
        elif wanted.by is not None or wanted.cause not in {None, _FIRST_BUILD}:
            yield _ended("job_cause", f"{_TAG} = :cause AND {_NO_FIRST_BUILD}")
        elif wanted.op is not None:
            yield _ended("job_op", "op = :op")
        else:
            yield _ended("job_end", "TRUE")

    def _few(self) -> str | None:
        """The jobs that no order has and an index finds, as a list for SQL, if they are few."""
        uses = self._uses.found()
        if uses is not None:
            self._values |= self._uses.values
            found = f"SELECT DISTINCT job {uses}"
        elif self._wanted.place is not None:
            found = f"SELECT job FROM ran WHERE {_AT_PLACE}"
        elif self._wanted.prefix is not None:
            found = f"SELECT seq FROM job WHERE {_HAS_PREFIX}"
        else:
            return None
        values = {**self._values, "few": _FEW + 1}
        seqs = [str(seq) for (seq,) in self._connection.execute(f"{found} LIMIT :few", values)]
        return ",".join(seqs) if len(seqs) <= _FEW else None

    # Conditions

    def _row_conditions(self) -> Iterator[str]:
        """The conditions on a job's own row."""
        wanted, values = self._wanted, self._values
        yield _among(self._ends)
        for name in ("op", "key"):
            value = getattr(wanted, name)
            if value is not None:
                values[name] = storable(value)
                yield f"{name} = :{name}"
        if wanted.ok is not None:
            yield "ended = 'ok'" if wanted.ok else _HAS_FAILED
        if wanted.rebuild is not None:
            yield f"rebuild = {int(wanted.rebuild)}"
        if wanted.prefix is not None:
            values["prefix"] = storable(wanted.prefix)
            yield _HAS_PREFIX
        if wanted.text is not None:
            values["text"] = f"%{_like_literal(storable(wanted.text))}%"
            yield (
                r"(key LIKE :text ESCAPE '\' OR value LIKE :text ESCAPE '\'"
                r" OR outcome LIKE :text ESCAPE '\')"
            )
        yield from self._where_conditions()
        yield from self._why_conditions()
        yield from self._time_conditions()

    def _where_conditions(self) -> Iterator[str]:
        for name, condition in (("place", _AT_PLACE), ("pool", "pool = :pool")):
            value = getattr(self._wanted, name)
            if value is not None:
                self._values[name] = storable(value)
                yield f"EXISTS (SELECT 1 FROM ran WHERE ran.job = job.seq AND ({condition}))"

    def _why_conditions(self) -> Iterator[str]:
        wanted, values = self._wanted, self._values
        if wanted.kind is not None:
            values["kind"] = wanted.kind
            yield f"kind IS NULL AND {_HAS_FAILED}" if wanted.kind == "real" else "kind = :kind"
        if wanted.by is not None:
            values |= {"by": storable(wanted.by), "cause": "Asked"}
            yield f"""{_TAG} = 'Asked' AND json_extract(cause, '$."$Asked".by') = :by"""
        if wanted.cause == _FIRST_BUILD:
            yield _IS_FIRST_BUILD
        elif wanted.cause is not None:
            values["cause"] = wanted.cause
            yield f"{_TAG} = :cause"

    def _time_conditions(self) -> Iterator[str]:
        wanted, values = self._wanted, self._values
        if wanted.since is not None:
            values["since"] = time_text(wanted.since)
            yield f"(ended IS NULL OR {_END} >= :since)"
        if wanted.until is not None:
            values["until"] = time_text(wanted.until)
            yield f"ended IS NOT NULL AND {_END} < :until"
        if wanted.longer is not None:
            values["longer"] = wanted.longer.total_seconds() * 1e3
            yield "round((julianday(finished) - julianday(started)) * 86400000) > :longer"

    # Rows

    def _walk(
        self, source: "_Source", place: HistoryCursor | None, limit: int, deadline: float | None
    ) -> HistoryRows:
        """At most `limit` rows of a source behind a place, each with its own place first."""
        if place is None:
            place = self._first_place(source)
        rows: list[Row] = []
        window = _WINDOW
        while True:
            last = None
            if deadline is not None and not source.is_small:
                last = self._window_end(source, place, window)
            began = monotonic()
            rows += self._rows(source, place, last, limit - len(rows))
            if last is None or len(rows) >= limit:
                return HistoryRows(rows, None, True)
            place = last
            now = monotonic()
            assert deadline is not None
            if now >= deadline:
                return HistoryRows(rows, place, False)
            rate = window / max(now - began, 1e-6)
            window = max(100, min(2 * window, _LONGEST_WINDOW, int(rate * (deadline - now))))

    def _first_place(self, source: "_Source") -> HistoryCursor:
        until = self._values.get("until") if source.has_ended else None
        return HistoryCursor("~" if until is None else str(until), -1, source.has_ended)

    def _window_end(
        self, source: "_Source", place: HistoryCursor, window: int
    ) -> HistoryCursor | None:
        """The place of the last row of a window; None if the source ends before."""
        query = f"""SELECT {source.end}, seq FROM job {source.index}
                     WHERE {source.condition} AND {_behind(source)}
                     ORDER BY {source.end} DESC, seq DESC LIMIT 1 OFFSET :skip"""
        values = {**self._values, "at": place.at, "seq": place.seq, "skip": window - 1}
        row = self._connection.execute(query, values).fetchone()
        if row is None or (source.has_ended and row[0] < str(self._values.get("since", ""))):
            return None
        return HistoryCursor(row[0], row[1], source.has_ended)

    def _rows(
        self, source: "_Source", place: HistoryCursor, last: HistoryCursor | None, limit: int
    ) -> list[Row]:
        conditions = [source.condition, _behind(source), *self._conditions]
        values = {**self._values, "at": place.at, "seq": place.seq, "limit": limit}
        if source.has_ended and self._wanted.since is not None:
            conditions.append(f"{source.end} >= :since")
        if last is not None:
            conditions.append(f"{source.end} >= :to AND ({source.end} > :to OR seq >= :to_seq)")
            values |= {"to": last.at, "to_seq": last.seq}
        query = f"""SELECT {source.end}, seq, {", ".join(COLUMNS.names)}
                      FROM job {source.index}
                     WHERE {" AND ".join(conditions)}
                     ORDER BY {source.end} DESC, seq DESC LIMIT :limit"""
        return self._connection.execute(query, values).fetchall()


_ENDED = COLUMNS.names.index("ended")


class _Source(Struct, frozen=True):
    """Jobs in the order of a history."""

    end: str
    """The expression by which they are ordered, before `seq`."""
    condition: str
    index: str
    has_ended: bool = True
    is_small: bool = False


def _ended(index: str, condition: str) -> _Source:
    """The jobs that have ended which an index has in order."""
    return _Source(_END, f"ended IS NOT NULL AND {condition}", f"INDEXED BY {index}")


def _behind(source: _Source) -> str:
    """The condition that a job comes after a place."""
    return f"{source.end} <= :at AND ({source.end} < :at OR seq < :seq)"


def _like_literal(text: str) -> str:
    """`text` without a meaning for LIKE."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _among(ends: frozenset[JobEnd | None]) -> str:
    """The condition that a job has one of these ends."""
    named = ", ".join(f"'{end.value}'" for end in ends if end is not None)
    return f"(ended IN ({named}){' OR ended IS NULL' if None in ends else ''})"
