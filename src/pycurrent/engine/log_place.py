"""How far the log of a job goes, and how much of it an earlier engine has written already."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pycurrent.engine.journal import Cursor


class LogPlace:
    """The place up to which the file of a log is written. Used by those who have the turn to write,
    but for `takes_text` and `takes_notes`.
    """

    __slots__ = ("_cursor", "_skipped", "lines", "size", "takes_notes")

    def __init__(self, size: int, lines: int = 0) -> None:
        """`lines`: as many calls of the work have logged text that is in the file already. While
        they are made again that is dropped, and so are the lines of the engine.
        """
        self.size = size
        self.lines = self._skipped = lines
        """The calls by which the work has logged what is in the file."""
        self._cursor: Cursor | None = None
        self.takes_notes = True
        """False while the lines of the engine are dropped."""

    @classmethod
    def of(cls, cursor: Cursor) -> LogPlace:
        """The place that a journal tells; the engine's lines are dropped from there on."""
        place = cls(cursor.size, cursor.lines)
        place.takes_notes = False
        return place

    def takes_text(self) -> bool:
        """True unless the text of this call is in the file already. Asked once for each."""
        if self._skipped:
            self._skipped -= 1
            return False
        return True

    @property
    def is_followed(self) -> bool:
        """True if a cursor tells of it."""
        return self._cursor is not None

    def follow(self, cursor: Cursor) -> None:
        """From here on the cursor tells of it."""
        self._cursor = cursor

    def copied(self, number: int, place: int, *, holding: bool, is_last: bool) -> None:
        """The file has what stands in the spool of a command up to a place."""
        if self._cursor is not None and is_last:
            self._cursor.done(number)
        elif self._cursor is not None:
            self._cursor.copied(number, place, holding=holding)

    def note(self) -> bool:
        """Have the cursor tell of it. False if it can't now."""
        return self._cursor is not None and self._cursor.reached(self.size, self.lines)
