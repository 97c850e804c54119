"""The conditions on labels by which people find stages and jobs: `repo=web`, `branch!=main`."""

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from msgspec import Struct

from pycurrent.errors import UsageError

CONDITION = r"([^=!]+)(!?=)"
"""How a condition begins, as a pattern: any value may follow."""
_SIGNS = r"[*?[]"


class LabelFilter(Struct, frozen=True):
    """A condition on one label: its value is `value`, or matches that as a glob; or it is not so.

    Stages and jobs without a label of this name pass only a condition with `is_not`.
    """

    name: str
    value: str
    is_not: bool = False

    @classmethod
    def parse(cls, text: str) -> "LabelFilter":
        """Read a condition such as `repo=web`, `repo=web-*` or `repo!=web`. Raises `UsageError`.

        The first digits of a commit, at least four, stand for all commits that begin so.
        """
        match = re.fullmatch(f"{CONDITION}(.*)", text, re.DOTALL)
        if match is None:
            raise UsageError(
                f"{text!r} is not a condition on a label: expected NAME=VALUE, such as repo=web, or"
                " NAME!=VALUE; VALUE may be a glob"
            )
        name, sign, value = match.groups()
        if name == "commit" and re.fullmatch(r"[0-9a-f]{4,39}", value):
            value += "*"
        return cls(name, value, sign == "!=")

    def __str__(self) -> str:
        return f"{self.name}{'!=' if self.is_not else '='}{self.value}"

    def passes(self, labels: Mapping[str, str]) -> bool:
        """True if what has these labels passes."""
        value = labels.get(self.name)
        return (value is not None and matches(value, self.value)) is not self.is_not


def all_pass(filters: Sequence[LabelFilter], labels: Mapping[str, str]) -> bool:
    """True if what has these labels passes all conditions."""
    return all(condition.passes(labels) for condition in filters)


def matches(text: str, glob: str) -> bool:
    """True if a text is `glob`, or matches it: `*` stands for any text, also with `/` in it."""
    return text == glob or fnmatchcase(text, glob)


def is_glob(text: str) -> bool:
    """True if a text may match something else than itself."""
    return re.search(_SIGNS, text) is not None


def beginning(glob: str) -> str:
    """The text with which all begins that a glob matches, or that equals it."""
    return re.split(_SIGNS, glob, maxsplit=1)[0]


def sqlite_glob(glob: str) -> str:
    """A glob as SQLite writes it."""
    return glob.replace("[!", "[^")
