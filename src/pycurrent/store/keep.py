"""Rules of retention: how long the log, the files and the tests of which jobs are kept.

The first rule that matches a job decides. So a rule for few jobs can be shorter than one for all,
and for each job there is one rule that says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from enum import Enum
from types import MappingProxyType

import msgspec
from msgspec import Struct

from pycurrent.errors import UsageError, WrongKind
from pycurrent.store.byte_size import byte_size
from pycurrent.store.label_filter import LabelFilter, all_pass, matches

_LONGEST = 1_000_000
"""Days: more than there are in the calendar from its beginning on."""


class Part(Enum):
    """A part of a job that can go while its record stays."""

    LOG = "log"
    FILES = "files"
    TESTS = "tests"


_PARTS = tuple([part.value for part in Part])


class Keep(Struct, frozen=True, kw_only=True):
    """A rule of retention; `keep` makes one, and checks it."""

    op: str | None = None
    labels: tuple[LabelFilter, ...] = ()
    of: tuple[Part, ...] = tuple(Part)
    last: int | None = None
    days: int | float | None = None
    failed_days: int | float | None = None

    def __str__(self) -> str:
        """The rule as people write it."""
        labels = {label.name: label.value for label in self.labels}
        of = [part.value for part in self.of]
        given = [
            ("op", self.op),
            ("labels", labels or None),
            ("of", None if len(of) == len(_PARTS) else of),
            ("last", self.last),
            ("days", self.days),
            ("failed_days", self.failed_days),
        ]
        words = [f"{name}={_shown(value)}" for name, value in given if value is not None]
        return f"keep({', '.join(words)})"

    def matches_op(self, op: str) -> bool:
        """True if it is for this operation."""
        return self.op is None or matches(op, self.op)

    def matches_labels(self, sets: Sequence[Mapping[str, str]]) -> bool:
        """True if it is for jobs that stages with these sets of labels have used."""
        return not self.labels or any(all_pass(self.labels, labels) for labels in sets)

    def keeps(self, *, rank: int, age: timedelta, ok: bool) -> bool:
        """True if it keeps a job that it matches, before which `rank` newer ones were matched."""
        if self.last is not None and rank < self.last:
            return True
        days = self.days if ok or self.failed_days is None else self.failed_days
        if days is None:
            return self.last is None
        return age < timedelta(days=days)


class Retention(Struct, frozen=True):
    """All that an engine says about retention."""

    rules: tuple[Keep, ...] = ()
    max_size: int | None = None
    """The bytes that saved files may take; None: as many as they are."""

    def __bool__(self) -> bool:
        return bool(self.rules) or self.max_size is not None

    @property
    def text(self) -> str:
        """As the database keeps it, for `parse`."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def parse(cls, text: str | None) -> Retention:
        """Read a text; None, or an empty one, is that nothing is said. Raises ValueError."""
        return msgspec.json.decode(text, type=cls) if text else cls()


SETTING = "retention"
"""The name under which the database remembers what the last engine said about retention."""
WANTED = "wanted keys"
"""The name of a JSON object: the digests of the keys that the last engine wanted at its end, by
their operations. Empty while an engine runs, and if that is not known.
"""
NO_RETENTION = Retention()
"""Nothing goes by itself."""


def keep(
    *,
    op: str | None = None,
    labels: Mapping[str, str] = MappingProxyType({}),
    of: str | Iterable[str] = _PARTS,
    last: int | None = None,
    days: float | None = None,
    failed_days: float | None = None,
) -> Keep:
    """A rule of retention: how long the log, the files and the tests of some jobs are kept, whose
    records stay.

    It is for jobs of the operation `op`, an id or a glob, that a stage with these `labels`, which
    may be globs, has used; by default for all. It keeps the `last` such jobs of each operation, and
    those that ended less than so many `days` ago; with `failed_days` these count for jobs that have
    not ended well. With none of them it keeps all. `of` narrows it to "log", "files" or "tests".

    Raises `UsageError` for what makes no rule.
    """
    if op is not None and not (isinstance(op, str) and op.strip()):
        raise UsageError(f"keep: op= takes the id of an operation, or a glob, not {op!r}")
    return Keep(
        op=op,
        labels=_labels(labels),
        of=_of(of),
        last=_number("last", last),
        days=_days("days", days),
        failed_days=_days("failed_days", failed_days),
    )


def _shown(value: object) -> str:
    """As it is written in Python, with the quotes that our formatter writes."""
    if isinstance(value, str):
        return msgspec.json.encode(value).decode()
    if isinstance(value, list):
        return f"[{', '.join(_shown(one) for one in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_shown(name)}: {_shown(of)}' for name, of in value.items())}}}"
    return repr(value)


def retention(rules: object, max_size: object = None) -> Retention:
    """Check the rules, and the size of files, that somebody has given. Raises `UsageError`."""
    limit = byte_size(max_size)
    if max_size is not None and limit is None:
        raise UsageError(
            f"files_max_size= takes bytes, or a text such as '500M' or '50G', not {max_size!r}"
        )
    return Retention(_checked(rules), limit)


def _checked(rules: object) -> tuple[Keep, ...]:
    if isinstance(rules, Keep):
        raise WrongKind(f"keep= takes a list of rules: write [{rules}]")
    if not isinstance(rules, Iterable) or isinstance(rules, str):
        raise WrongKind(f"keep= takes a list of rules, such as [keep(days=90)], not {rules!r}")
    found = tuple(rules)
    for rule in found:
        if not isinstance(rule, Keep):
            raise WrongKind(f"keep= takes rules such as keep(days=90), not {rule!r}")
    return found


def _labels(labels: object) -> tuple[LabelFilter, ...]:
    if not isinstance(labels, Mapping):
        raise WrongKind(f'keep: labels= takes texts by names, {{"branch": "main"}}, not {labels!r}')
    for name, value in labels.items():
        if not (isinstance(name, str) and name and isinstance(value, str)):
            raise UsageError(
                f"keep: labels= takes texts by names, {{'branch': 'main'}}, not {name!r}: {value!r}"
            )
    return tuple([LabelFilter(name, value) for name, value in sorted(labels.items())])


def _of(of: object) -> tuple[Part, ...]:
    names = [of] if isinstance(of, str) else of
    found = list(names) if isinstance(names, Iterable) else [names]
    if not found or not all(name in _PARTS for name in found):
        raise UsageError(f"keep: of= takes some of {', '.join(_PARTS)}, not {of!r}")
    return tuple([part for part in Part if part.value in found])


def _number(name: str, value: object) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return value
    raise UsageError(f"keep: {name}= takes a number of jobs, 0 or more, not {value!r}")


def _days(name: str, value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _LONGEST:
        return value
    raise UsageError(f"keep: {name}= takes a number of days, 0 or more, not {value!r}")
