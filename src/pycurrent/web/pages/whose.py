"""Finds out to whom something belongs: to a person who has made the change that it follows from, is
its author, or has approved it. In an address `who=me` is the visitor, and anything else the name of
an author.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import Request

from pycurrent.store import ChangeRecord
from pycurrent.web.auth import caller_of

if TYPE_CHECKING:
    from pycurrent.service import Records

PARAMETER = "who"
ME = "me"
_LONGEST = 200
_APPROVED = 1000
"""So many approvals of a person are looked at, the newest."""
_AUTHOR = "author"
"""The label that names an author, as forges give it."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, by all their names here and elsewhere."""

    text: str
    """As the address has it."""
    names: frozenset[str]
    """In any case: as authors of commits, on forges, and on this site. Empty for a stranger."""
    name: str
    """As the audit names them."""

    def made(self, changes: Iterable[ChangeRecord]) -> bool:
        """True if one of the changes is theirs, alone or with others."""
        return any(self._is_among(change.by) for change in changes)

    def wrote(self, labels: Mapping[str, str]) -> bool:
        """True if the labels of a stage name them as its author."""
        return self._is_among(labels.get(_AUTHOR))

    def approved(self, records: Records) -> frozenset[str]:
        """The ids of the jobs that they have approved: the newest ones, if there are many."""
        if not self.names:
            return frozenset()
        acts = records.audit(who=self.name, what="approve", limit=_APPROVED)
        return frozenset([act.subject for act in acts])

    def _is_among(self, names: str | None) -> bool:
        return bool(names) and any(one in self.names for one in _split(names or ""))


def person_of(request: Request) -> Person | None:
    """The person whose things an address asks for; None if it asks for everybody's."""
    text = request.query_params.get(PARAMETER, "").strip()[:_LONGEST]
    if not text:
        return None
    if text.casefold() != ME:
        return Person(text, frozenset({text.casefold()}), text)
    user = caller_of(request).user
    if user is None:
        return Person(ME, frozenset(), "")
    known = {user.id, user.name, user.id.partition(":")[2]}
    return Person(ME, frozenset(name.casefold() for name in known if name), user.name)


def _split(names: str) -> list[str]:
    return [name.strip().casefold() for name in (names, *names.split(","))]
