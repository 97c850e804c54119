"""The note on the page after a form was sent."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass

_KEPT = 1000
PARAMETER = "note"


@dataclass(frozen=True, slots=True)
class Note:
    """The result of the form."""

    text: str
    details: tuple[str, ...] = ()
    is_good: bool = True


class Notes:
    """Left by one request for the next one, which names it in its address; shown once.

    Kept in memory, and only the last thousand: who does not come for it has lost little.
    """

    def __init__(self) -> None:
        self._notes: OrderedDict[str, Note] = OrderedDict()

    def leave(self, note: Note) -> str:
        name = secrets.token_urlsafe(12)
        self._notes[name] = note
        if len(self._notes) > _KEPT:
            self._notes.popitem(last=False)
        return name

    def take(self, name: str | None) -> Note | None:
        return None if name is None else self._notes.pop(name, None)
