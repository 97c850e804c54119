"""The lines of one file, as they are being read from a report."""

from __future__ import annotations

from pycurrent.store.covered_lines import LAST_LINE, MOST_BRANCHES, FileLines, LineSet


class FoundLines:
    """Lines that are found one after the other, each as often as a report has it."""

    __slots__ = ("_branches", "_covered", "_is_empty", "_lines")

    def __init__(self) -> None:
        self._lines = LineSet()
        self._covered = LineSet()
        self._branches: dict[int, tuple[int, int, int]] = {}
        self._is_empty = True

    def __bool__(self) -> bool:
        """True if there is any line."""
        return not self._is_empty

    def add(self, line: int, *, is_covered: bool) -> None:
        """Add a line, which was run or not."""
        self._is_empty = False
        self._lines.add(line)
        if is_covered:
            self._covered.add(line)

    def add_branches(self, line: int, count: int, taken: int) -> None:
        """A line has so many branches, of which so many were taken: it is not said which."""
        if 0 < line <= LAST_LINE and count:
            count = min(count, MOST_BRANCHES)
            self._branches[line] = count, 0, min(taken, count)

    def add_branch(self, line: int, *, is_taken: bool) -> None:
        """A line has one more branch."""
        if 0 < line <= LAST_LINE:
            count, taken, least = self._branches.get(line, (0, 0, 0))
            if count < MOST_BRANCHES:
                self._branches[line] = count + 1, taken | (is_taken << count), least

    def taken(self, told: tuple[int, int, int, int] = (0, 0, 0, 0)) -> FileLines:
        """All of them, with the numbers that the report tells."""
        branches = {
            line: (count, taken.to_bytes((taken.bit_length() + 7) // 8, "little"), least)
            for line, (count, taken, least) in self._branches.items()
        }
        return FileLines(bytes(self._lines), bytes(self._covered), branches, told)
