"""The ids that are held by what lives in one engine: see `box_ids`.

Apart from the diagram, which a run that nobody looks at does not load.
"""

from __future__ import annotations

from enum import Enum

from pycurrent.term.shape import Term

_NUMBER = "%#"


class Distinct:
    """Makes texts distinct, by numbers."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        # The numbers to go on from, of texts that several have asked for.
        self._tried: dict[str, int] = {}

    def take(self, text: str) -> str:
        """Return the text, or if it is taken, one with a number."""
        number = self._tried.get(text, 1)
        found = text if number == 1 else f"{text}{_NUMBER}{number}"
        while found in self._taken:
            number += 1
            found = f"{text}{_NUMBER}{number}"
        if number > 1:
            self._tried[text] = number
        self._taken.add(found)
        return found

    def free(self, taken: str) -> None:
        """Let one that was taken be taken again."""
        self._taken.discard(taken)
        self._tried.pop(unnumbered(taken), None)


def unnumbered(id: str) -> str:
    """The text that it was taken for."""
    return id.partition(_NUMBER)[0]


class HeldIds:
    """The ids of what lives in one engine and is not a stage, as far as somebody has asked: each
    stays the same in all drawings. A list's items are not among it.
    """

    def __init__(self) -> None:
        self._ids: dict[Term, dict[Enum, str]] = {}
        self._distinct = Distinct()

    def __bool__(self) -> bool:
        return bool(self._ids)

    def find(self, term: Term, kind: Enum) -> str | None:
        """The id of a term's box of this kind, if it has one."""
        ids = self._ids.get(term)
        return None if ids is None else ids.get(kind)

    def take(self, term: Term, kind: Enum, text: str) -> str:
        """Give it this id, or one with a number, which is its own until it is forgotten."""
        id = self._distinct.take(text)
        self._ids.setdefault(term, {})[kind] = id
        return id

    def forget(self, term: Term) -> None:
        """Free the ids of a term that lives no more. Twice is fine."""
        for id in self._ids.pop(term, {}).values():
            self._distinct.free(id)
