"""The log rules of an engine: changing them, and trying one on the logs of recent failures.

A rule holds for failures from then on; by `apply` it holds for earlier ones, too.
"""

from __future__ import annotations

import asyncio
import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from pycurrent.engine import Asker, LogRule, LogRules, OpenEngine
from pycurrent.engine.follow import LogSource
from pycurrent.engine.logrules import RULE_KINDS
from pycurrent.errors import UsageError
from pycurrent.explain.history import HistoryEntry
from pycurrent.service.archive import Archive
from pycurrent.service.errors import NoSuchJob, NoSuchRule
from pycurrent.service.logs import Logs
from pycurrent.store import HistoryFilter, JobEnd, LaterFinding, RuleRecord
from pycurrent.term import Failed, FailureKind
from pycurrent.view.formatting import applied as words_of

if TYPE_CHECKING:
    from pycurrent.explain.findings import Findings

_LONGEST = 5.0
"""Seconds that a trial may take, about: then it gives what it has."""
_LARGEST = 64 << 20
"""In bytes: larger logs are left out of a trial."""
_LONGEST_APPLYING = 60.0
_COLUMNS = ("pattern", "report", "score")
_ALL_COLUMNS = (*_COLUMNS, "kind")
_KINDS = tuple(kind.value for kind in RULE_KINDS)
_SCORE = re.compile(r"[+-]?\d{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class TriedOn:
    """The outcome of a rule on the log of one failed job."""

    entry: HistoryEntry
    report: str | None
    """None: it does not match."""
    wins: bool
    """True if the report would be the failure's message, as no better rule matches."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A rule, tried on recent failures."""

    tried: tuple[TriedOn, ...]
    complete: bool
    """True if it has looked at all the logs."""


@dataclass(frozen=True, slots=True)
class Applied:
    """The rules, applied to recent failures."""

    looked_at: int
    """How many failures."""
    changed: int
    """How many of them are recorded as of another kind now."""
    reworded: int
    """How many of them have another message now."""
    complete: bool
    """True if all their logs were looked at."""


class Rules:
    """Belongs to the event loop's thread. Rules are written at once, and hold from then on."""

    def __init__(self, engine: OpenEngine, archive: Archive, logs: Logs) -> None:
        self._engine = engine
        self._archive = archive
        self._logs = logs

    @property
    def _rules(self) -> LogRules:
        return self._engine.log_rules

    def list(self) -> tuple[LogRule, ...]:
        """All rules, the best score first."""
        return tuple(self._rules.list())

    def put(self, rule: LogRule, *, by: Asker | str, replacing: str | None = None) -> None:
        """Add a rule, in place of the one with the same pattern, and of the one with `replacing`.

        Raises `UsageError` if the rule is wrong, and `NoSuchRule` if there is none to replace.
        """
        if replacing is not None and replacing != rule.pattern:
            old: LogRule | None = self._existing(replacing)
            self._rules.add(rule)
            self._rules.remove(replacing)
        else:
            old = self._find(rule.pattern)
            self._rules.add(rule)
        self._note(by, "set log rule", old, rule)

    def put_all(self, rules: Sequence[LogRule], *, by: Asker | str) -> None:
        """Add many, or none if one of them is wrong: then raises `UsageError`."""
        for rule in rules:
            LogRules(_Kept()).add(rule)
        for rule in rules:
            self.put(rule, by=by)

    def remove(self, pattern: str, *, by: Asker | str) -> None:
        """Raises `NoSuchRule`."""
        old = self._existing(pattern)
        self._rules.remove(pattern)
        self._note(by, "remove log rule", old, None)

    def _find(self, pattern: str) -> LogRule | None:
        return next((rule for rule in self._rules.list() if rule.pattern == pattern), None)

    def _existing(self, pattern: str) -> LogRule:
        rule = self._find(pattern)
        if rule is None:
            raise NoSuchRule(pattern)
        return rule

    def _note(self, by: Asker | str, what: str, old: LogRule | None, new: LogRule | None) -> None:
        """Say in the audit that one rule is there in place of the other."""
        rule = new or old
        assert rule is not None
        before, after = (None if one is None else rules_to_csv([one]) for one in (old, new))
        self._engine.audit.note(by, what, rule.pattern, before=before, after=after)

    async def try_out(self, rule: LogRule, *, limit: int) -> Trial:
        """Try the rule on the last `limit` failed jobs, without storing it.

        Raises `UsageError` if the rule is wrong.
        """
        only = LogRules(_Kept())
        only.add(rule)
        better = LogRules(_Kept(other for other in self.list() if _rank(other) < _rank(rule)))
        page = await self._archive.page(HistoryFilter(ok=False), limit=limit)
        logs = [(entry, self._log_of(entry)) for entry in page.entries]
        return await asyncio.to_thread(_try_out, only, better, logs)

    async def apply(self, *, limit: int, by: Asker | str) -> Applied:
        """Record the last `limit` failures with the messages and the kinds that the rules say.

        A failure whose best rule names no kind keeps the one that it has. The results that are in
        use stay as they are, until the next start or rebuild; logs stay for good.
        """
        wanted = HistoryFilter(ends=frozenset({JobEnd.FAILED}))
        page = await self._archive.page(wanted, limit=limit)
        logs = [(entry, self._log_of(entry)) for entry in page.entries]
        found, complete = await asyncio.to_thread(_best, LogRules(_Kept(self.list())), logs)
        changed = reworded = 0
        for job_id, best in found.items():
            job = self._engine.store.job(job_id)
            if job is None or job.ended is not JobEnd.FAILED:
                continue
            old = job.kind or FailureKind.REAL.value
            rule, digest = best.by_rule, best.fingerprint
            assert rule is not None
            kind = old if rule.rule.kind is None else rule.rule.kind.value
            has_kind, has_words = kind == old, rule.report == job.outcome
            if not (has_kind and has_words):
                later = LaterFinding(kind, rule.report, digest.digest, digest.text, best.lines_text)
                self._engine.store.new_failures.amend(job_id, later)
            changed += not has_kind
            reworded += not has_words
        after = words_of(len(logs), changed, reworded)
        self._engine.audit.note(by, "apply log rules", "log rules", after=after)
        return Applied(len(logs), changed, reworded, complete)

    def _log_of(self, entry: HistoryEntry) -> LogSource | None:
        try:
            log = self._logs.source(entry.job_id)
            return log if log.size <= _LARGEST else None
        except (NoSuchJob, OSError):
            return None


def _try_out(
    only: LogRules, better: LogRules, logs: Iterable[tuple[HistoryEntry, LogSource | None]]
) -> Trial:
    tried: list[TriedOn] = []
    complete = True
    end = monotonic() + _LONGEST
    for entry, log in logs:
        if log is None or monotonic() > end:
            complete = False
            continue
        try:
            report = only.analyse_log(log)
            wins = report is not None and better.analyse_log(log) is None
        except OSError:
            complete = False
            continue
        tried.append(TriedOn(entry, report, wins))
    return Trial(tuple(tried), complete)


def _best(
    rules: LogRules, logs: Iterable[tuple[HistoryEntry, LogSource | None]]
) -> tuple[dict[str, Findings], bool]:
    """The findings of the best rules, by the ids of the jobs; True if all logs were read."""
    # Imported here, as in the recorder of failures.
    from pycurrent.explain.findings import look_into

    found: dict[str, Findings] = {}
    complete = True
    end = monotonic() + _LONGEST_APPLYING
    for entry, log in logs:
        if log is None or monotonic() > end:
            complete = False
            continue
        best = look_into(log, Failed(entry.failure or ""), rules)
        if best.lines is None:  # the log can't be read
            complete = False
        elif best.by_rule is not None:
            found[entry.job_id] = best
    return found, complete


def _rank(rule: LogRule) -> tuple[int, str]:
    """Of two rules that match, that of lower rank counts."""
    return -rule.score, rule.pattern


class _Kept:
    """Rules that are in no database."""

    def __init__(self, rules: Iterable[LogRule] = ()) -> None:
        self._rules = [rule.as_record() for rule in rules]

    def rules(self) -> Sequence[RuleRecord]:
        return self._rules

    def add_rule(self, rule: RuleRecord) -> None:
        pass

    def remove_rule(self, pattern: str) -> bool:
        return False


def rules_to_csv(rules: Iterable[LogRule]) -> str:
    """The rules as a table, with a head; with a column for kinds if a rule has one."""
    rules = tuple(rules)
    columns = _ALL_COLUMNS if any(rule.kind is not None for rule in rules) else _COLUMNS
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    for rule in rules:
        kind = "" if rule.kind is None else rule.kind.value
        writer.writerow((rule.pattern, rule.report, rule.score, kind)[: len(columns)])
    return text.getvalue()


def rules_from_csv(text: str) -> tuple[LogRule, ...]:
    """The rules in such a table. Raises `UsageError`, which says in which line it is wrong."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        return tuple(_read_rules((reader.line_num, row) for row in reader))
    except csv.Error as error:
        raise UsageError(f"line {reader.line_num} is not CSV: {error}") from error


def _read_rules(rows: Iterable[tuple[int, list[str]]]) -> Iterator[LogRule]:
    for number, row in rows:
        if not row or tuple(cell.strip().lower() for cell in row) in {_COLUMNS, _ALL_COLUMNS}:
            continue
        match row:
            case [pattern, report, score, *kind] if _is_rest(score, kind):
                yield LogRule(pattern, report, int(score), kind_named(*kind))
            case _:
                raise UsageError(
                    f"line {number} has {row!r}: a rule is pattern,report,score or"
                    " pattern,report,score,kind, with a whole number of up to 9 digits as its"
                    f" score, and as its kind one of {', '.join(_KINDS)} or nothing"
                )


def _is_rest(score: str, kind: Sequence[str]) -> bool:
    if len(kind) > 1 or _SCORE.fullmatch(score.strip()) is None:
        return False
    return all(not one.strip() or one.strip() in _KINDS for one in kind)


def kind_named(name: str = "") -> FailureKind | None:
    """The kind of a rule by its name; None for an empty one. Raises `UsageError` for others."""
    name = name.strip()
    if name and name not in _KINDS:
        raise UsageError(f"the kind must be one of {', '.join(_KINDS)}, not {name!r}")
    return FailureKind(name) if name else None
