"""Lists of the refs of a repository: those that match a pattern, in order, and their changes."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, assert_never

from pycurrent.engine.changes import ChangeText
from pycurrent.errors import UsageError
from pycurrent.plugins.git.commit import CommitId, checked_ref, short_ref

_PEELED = "^{}"
_FEW = 3
"""How many changes of refs the line about them names."""
_MOST = 20
"""How many are named in all."""

# `a1` and `b1` come before a release, but `1.0.2a` comes after 1.0.2.
_PRE = re.compile(r"-.*|(?:alpha|beta|rc|pre|preview|dev|[abc](?=[0-9]))")
_PART = re.compile(r"[0-9]+|[^0-9.]+")

_log = logging.getLogger(__name__)

Refs = tuple[CommitId, ...]


@dataclass(frozen=True, slots=True)
class RefPattern:
    """A pattern of full names of refs, in which `*` stands for any text, slashes too; or HEAD.

    Raises UsageError for what can't be the name of a ref.
    """

    text: str
    _form: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if any(sign in self.text for sign in "?[]"):
            raise UsageError(
                f"{self.text!r} is not a pattern of refs: only * is special, and stands for any "
                "text, as in refs/heads/release-*"
            )
        try:
            checked_ref(self.text.replace("*", "x"))
        except UsageError:
            if "*" not in self.text:
                raise
            raise UsageError(
                f"{self.text!r} is not a pattern of refs: write one like refs/heads/*"
            ) from None
        form = ".*".join(map(re.escape, re.split(r"\*+", self.text)))
        object.__setattr__(self, "_form", re.compile(form))

    def __str__(self) -> str:
        return self.text

    def matches(self, ref: str) -> bool:
        return self._form.fullmatch(ref) is not None

    @property
    def options(self) -> tuple[str, ...]:
        """The options by which git lists little else: of a remote repository, it transfers less."""
        if self.text.startswith("refs/heads/"):
            return ("--heads",)
        return ("--tags",) if self.text.startswith("refs/tags/") else ()

    @property
    def folder(self) -> str:
        """The folder below which git keeps the files of all these refs."""
        return self.text.partition("*")[0].rpartition("/")[0]


class RefOrder(Enum):
    """The orders in which refs can be listed."""

    NAMES = "heads"
    """By name."""
    VERSIONS = "tags"
    """The newest version first."""

    def sorted(self, refs: Iterable[CommitId]) -> Refs:
        match self:
            case RefOrder.NAMES:
                return tuple(sorted(refs, key=_by_name))
            case RefOrder.VERSIONS:
                return tuple(sorted(refs, key=_by_version, reverse=True))
            case _:
                assert_never(self)


def _by_name(commit_id: CommitId) -> Any:
    """The order of names in which `pull/9` comes before `pull/10`."""
    parts = re.split(r"([0-9]+)", commit_id.ref)
    return [_number(part) if at % 2 else part for at, part in enumerate(parts)], commit_id.ref


def _by_version(commit_id: CommitId) -> Any:
    """The order of versions: those of one scheme together, and what is before a release before it.

    Names without a number come first.
    """
    name = commit_id.ref.removeprefix("refs/tags/")
    begin = re.search(r"[0-9]", name)
    at = len(name) if begin is None else begin.start()
    scheme = name[:at].removesuffix("v")
    return begin is not None, scheme, [*_version_parts(name[at:])], commit_id.ref


def _version_parts(version: str) -> Iterator[tuple[int, Any]]:
    for found in _PART.finditer(version):
        part = found[0]
        if part[0] in "0123456789":
            yield 2, _number(part)
        else:
            yield (0 if _PRE.match(version, found.start()) else 3), part
    yield 1, None  # a release: later than what leads to it, earlier than what follows it


def _number(digits: str) -> tuple[int, str]:
    # Of any length, which `int` would refuse.
    digits = digits.lstrip("0")
    return len(digits), digits


def listed(said: str, pattern: RefPattern, repository: str, order: RefOrder) -> Refs:
    """Return the refs that match, from the lines of git: a hash, a blank, and a name.

    Annotated tags are those of their commits. Names that can't be used are left out.
    """
    hashes: dict[str, str] = {}
    peeled: dict[str, str] = {}
    for line in said.split("\n"):
        hash, _, name = line.replace("\t", " ", 1).partition(" ")
        place = peeled if name.endswith(_PEELED) else hashes
        ref = name.removesuffix(_PEELED)
        if pattern.matches(ref):
            place[ref] = hash
    left_out: list[str] = []
    found = []
    for ref, hash in hashes.items():
        try:
            ref.encode()
            found.append(CommitId(repository, ref, peeled.get(ref, hash)))
        except (UnicodeEncodeError, UsageError):
            left_out.append(ref)
    if left_out:
        _log.warning(
            "%s: %d of its refs are left out, as their names can't be used, such as %a",
            repository,
            len(left_out),
            left_out[0],
        )
    return order.sorted(found)


def refs_change_told(name: str, old: Sequence[CommitId], new: Sequence[CommitId]) -> ChangeText:
    """Tell which refs have come, moved and gone."""
    before, now = ({one.ref: one.hash for one in refs} for refs in (old, new))
    told = [
        f"{short_ref(ref)} is new"
        if ref not in before
        else f"{short_ref(ref)}: {before[ref][:7]} → {hash[:7]}"
        for ref, hash in now.items()
        if before.get(ref) != hash
    ]
    told += [f"{short_ref(ref)} is gone" for ref in before.keys() - now.keys()]
    return ChangeText(f"{name}: {_some(told, _FEW)}", None, tuple(told[:_MOST]))


def _some(told: list[str], most: int) -> str:
    more = f" and {len(told) - most:,} more" if len(told) > most else ""
    return f"{', '.join(told[:most])}{more}"
