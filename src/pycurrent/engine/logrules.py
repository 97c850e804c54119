r"""Log rules: what the log of a failed job says, in a line.

A rule is a pattern, a report, and a score. When a job fails, the rules are looked for in its log;
of those that match, the one with the best score gives the report, which becomes the failure's
message, with `\1` to `\9` replaced by what the pattern's groups matched, and `\0` by the whole.

Patterns are RE2's: linear time whatever the pattern, so no look-around and no back-references.
They are matched against the whole log, in which `^` and `$` stand at the ends of every line (as
if they began with `(?m)`), `.` matches all but the end of a line, and `\A` and `\z` stand at the
ends of the log. A match may span lines. Where a pattern matches several times the first counts.

A log is read in windows, so its size doesn't matter to memory. The price: a match that is longer
than `LONGEST_MATCH` may be cut off there, or missed.
"""

import io
import logging
import re
from collections.abc import Iterable, Iterator, Sequence, Set
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, Self

from msgspec import Struct

from pycurrent.engine.thread import LoopThread
from pycurrent.errors import UsageError, WrongKind
from pycurrent.store.records import RuleRecord
from pycurrent.term import FailureKind, shown

if TYPE_CHECKING:
    from pycurrent.engine.follow import LogSource

LONGEST_MATCH = 1 << 16
"""In bytes. A match up to this length is found wherever it is."""

RULE_KINDS = (FailureKind.REAL, FailureKind.INFRA, FailureKind.TIMEOUT)
"""The kinds that a log can tell of."""

_log = logging.getLogger(__name__)

_WINDOW = 1 << 20

_MEMORY_PER_RULE = 1 << 20
"""In bytes: for the program of a pattern, and what RE2 caches while it matches."""

_LARGEST_PROGRAM = 1000
"""In instructions. RE2 is linear in the text *times* the program: hostile counted repeats of 4,000
took 25 s for a megabyte, the worst that was found below 1,000 took 0.4 s; everyday patterns have
fewer than 200.
"""

_REFERENCE = r"\\([0-9\\])"
"""In a report: a group, or a backslash that stands for itself."""


class LogRule(Struct, frozen=True):
    r"""Where `pattern` matches, `report` (with `\1` for its groups) says what is wrong.

    Of several rules that match, the one with the highest `score` is taken. Its `kind`, if it has
    one, is that of the failure, whatever else gives it another.
    """

    pattern: str
    report: str
    score: int
    kind: FailureKind | None = None

    def __post_init__(self) -> None:
        for name in ("pattern", "report"):
            if not isinstance(getattr(self, name), str):
                raise WrongKind(f"LogRule: {name}= takes a text, not {shown(getattr(self, name))}")
        if isinstance(self.score, bool) or not isinstance(self.score, int):
            raise WrongKind(f"LogRule: score= takes a whole number, not {shown(self.score)}")
        if self.kind is not None and self.kind not in RULE_KINDS:
            names = ", ".join(str(kind) for kind in RULE_KINDS)
            raise WrongKind(f"LogRule: kind= takes one of {names}, not {shown(self.kind)}")

    @classmethod
    def of_record(cls, record: RuleRecord) -> Self:
        """The rule in a record."""
        kind = None if record.kind is None else FailureKind(record.kind)
        return cls(record.pattern, record.report, record.score, kind)

    def as_record(self) -> RuleRecord:
        """The rule as it is recorded."""
        kind = None if self.kind is None else self.kind.value
        return RuleRecord(self.pattern, self.report, self.score, kind)


class RuleStore(Protocol):
    """A place that keeps the rules; `pycurrent.store.database.Database` is one."""

    def rules(self) -> Sequence[RuleRecord]: ...

    def add_rule(self, rule: RuleRecord) -> None:
        """Adds a rule, in place of one with the same pattern."""

    def remove_rule(self, pattern: str) -> bool:
        """Removes the rule with a pattern. False if there is none."""


class _Matcher(Struct, frozen=True):
    """A rule that is ready to be looked for."""

    rule: LogRule
    regexp: Any  # re2 has no types

    @classmethod
    def of(cls, rule: LogRule) -> Self:
        """Raises UsageError if the rule is wrong."""
        regexp = _compiled(rule.pattern)
        used = {found[1] for found in re.finditer(_REFERENCE, rule.report)} - {"\\"}
        missing = sorted(group for group in used if int(group) > regexp.groups)
        if missing:
            raise UsageError(
                f"log rule {rule.pattern!r}: the report {rule.report!r} uses \\{missing[0]}, "
                f"but the pattern has {regexp.groups} groups"
            )
        return cls(rule, regexp)

    def report(self, match: Any) -> str:
        """The rule's report of a match. A group that took no part in it is empty."""

        def filled(reference: re.Match[str]) -> str:
            if reference[1] == "\\":
                return "\\"
            group: bytes | None = match.group(int(reference[1]))
            return (group or b"").decode(errors="replace")

        return re.sub(_REFERENCE, filled, self.rule.report)

    def named(self, match: Any) -> dict[str, str]:
        """The texts of the pattern's named groups that took part in a match."""
        found: dict[str, bytes | None] = match.groupdict()
        return {
            name: text.decode(errors="replace") for name, text in found.items() if text is not None
        }


def _compiled(pattern: str) -> Any:
    # Imported here, as most programs that import pycurrent have no job that fails.
    import re2

    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY_PER_RULE
    try:
        regexp = re2.compile("(?m)" + pattern, options)
    except UnicodeEncodeError as error:
        raise UsageError(f"log rule {pattern!r}: the pattern is not valid Unicode") from error
    except re2.error as error:
        reason = error.args[0].decode(errors="replace").replace(": (?m)", ": ")
        raise UsageError(
            f"log rule {pattern!r}: {reason} (see https://github.com/google/re2/wiki/Syntax)"
        ) from error
    if regexp.programsize > _LARGEST_PROGRAM:
        raise UsageError(
            f"log rule {pattern!r}: the pattern is too large to be matched fast "
            f"({regexp.programsize} instructions, {_LARGEST_PROGRAM} at most): "
            "repeat fewer times, or use * and +"
        )
    return regexp


class Explanation(Struct, frozen=True):
    """Why a job has failed, by its log."""

    rule: LogRule
    report: str
    at: int
    """Where the rule has matched in the log, in bytes."""


class _Window(Struct, frozen=True):
    r"""A part of a log, and at most one byte around it, so that `^` and `\b` see what is there."""

    data: bytes
    offset: int
    """Where it begins in the log, in bytes."""
    start: int
    """Where the search begins: the part before was searched."""
    end: int
    """How far a match may reach."""
    limit: int
    """Where a match may begin. The next window begins there."""

    def first_match(self, regexp: Any) -> Any:
        match = regexp.search(self.data, self.start, self.end)
        return match if match is not None and match.start() <= self.limit else None


def _windows(log: BinaryIO) -> Iterator[_Window]:
    data = b""
    offset = start = 0
    while True:
        chunk = log.read(_WINDOW)
        data += chunk
        size = len(data)
        if len(chunk) < _WINDOW:
            yield _Window(data, offset, start, end=size, limit=size)
            return
        limit = size - LONGEST_MATCH
        yield _Window(data, offset, start, end=size - 1, limit=limit - 1)
        data = data[limit - 1 :]
        offset += limit - 1
        start = 1


def _all_matches(regexp: Any, log: BinaryIO) -> Iterator[Any]:
    reached = -1
    for window in _windows(log):
        for match in regexp.finditer(window.data, window.start, window.end):
            if match.start() > window.limit:
                break
            # Windows overlap: one that begins where the next window does is in both.
            if window.offset + match.start() > reached:
                reached = window.offset + match.start()
                yield match


class LogRules:
    """The rules of an engine, with the rules in `store` from the start.

    `analyse` and those of a log may be called from any thread, also while rules change; the
    others belong to the thread of the store.
    """

    def __init__(self, store: RuleStore) -> None:
        self._store = store
        self._thread = LoopThread()
        stored = (LogRule.of_record(rule) for rule in store.rules())
        # Replaced as a whole when a rule changes: another thread may be reading it.
        self._rules = tuple(sorted(stored, key=_best_first))
        # Made when they are first needed, from the rules that are beside them.
        self._matchers: tuple[tuple[LogRule, ...], tuple[_Matcher, ...]] = ((), ())

    def add(self, rule: LogRule) -> None:
        """Adds a rule, in place of one with the same pattern. The same one again changes nothing.

        Raises UsageError, which says what is wrong and where, if RE2 refuses the pattern or it is
        too large, or if the report uses a group that the pattern lacks.
        """
        _Matcher.of(rule)
        self._thread.check("log_rules.add")
        if rule in self._rules:
            return
        self._store.add_rule(rule.as_record())
        others = (other for other in self._rules if other.pattern != rule.pattern)
        self._rules = tuple(sorted((*others, rule), key=_best_first))

    def remove(self, pattern: str) -> None:
        """Removes the rule with this pattern. Raises UsageError if there is none."""
        self._thread.check("log_rules.remove")
        if not self._store.remove_rule(pattern):
            raise UsageError(f"no log rule has the pattern {pattern!r}")
        self._rules = tuple(rule for rule in self._rules if rule.pattern != pattern)

    def analyse(self, text: str) -> str | None:
        """The report of the best rule that matches in a log; None if none does.

        Of two with the same score, the one that `list` has first.
        """
        found = self._analyse(io.BytesIO(text.encode(errors="replace")))
        return None if found is None else found.report

    def analyse_log(self, log: "LogSource") -> str | None:
        """The same for the log of a job, which is read once, window by window.

        It blocks, and lets other threads run while it matches: call it in a thread. Bytes that are
        not UTF-8 match nothing, and are shown as U+FFFD. Raises OSError if it can't be read.
        """
        found = self.explain(log)
        return None if found is None else found.report

    def explain(self, log: "LogSource") -> Explanation | None:
        """As `analyse_log`, with the rule that says so."""
        with log.open() as file:
            return self._analyse(file)

    def list(self) -> "list[LogRule]":
        """All rules, the best score first, those with the same score by pattern."""
        return [*self._rules]

    def matches(
        self, log: "LogSource", *, having: Set[str]
    ) -> Iterator[tuple[dict[str, str], str]]:
        """All matches in a log of the rules whose patterns have these named groups, the best rule
        first: what each named group has matched, and the report. As `analyse_log` otherwise.
        """
        for matcher in self._ready():
            if having <= matcher.regexp.groupindex.keys():
                with log.open() as file:
                    for match in _all_matches(matcher.regexp, file):
                        yield matcher.named(match), matcher.report(match)

    def _analyse(self, log: BinaryIO) -> Explanation | None:
        candidates = self._ready()
        found = None
        for window in _windows(log) if candidates else ():
            for place, matcher in enumerate(candidates):
                match = window.first_match(matcher.regexp)
                if match is not None:
                    report = matcher.report(match)
                    found = Explanation(matcher.rule, report, window.offset + match.start())
                    # Further on, only a better rule still counts.
                    candidates = candidates[:place]
                    break
            if not candidates:
                break
        return found

    def _ready(self) -> tuple[_Matcher, ...]:
        rules = self._rules
        known, matchers = self._matchers
        if known is not rules:
            matchers = tuple(_usable(rules))
            self._matchers = rules, matchers
        return matchers


def _best_first(rule: LogRule) -> tuple[int, str]:
    return -rule.score, rule.pattern


def _usable(rules: Iterable[LogRule]) -> Iterator[_Matcher]:
    for rule in rules:
        try:
            yield _Matcher.of(rule)
        except UsageError as error:
            # Stored by something else than `add`: it must not hide how a job failed.
            _log.warning("skipped: %s", error)
