"""The part of the diagram that somebody looks at."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal, Self, TypeAlias

from pycurrent.term.diagram import Closing, Unfold

_Folds: TypeAlias = frozenset[tuple[str, str]] | Literal["all"]


@dataclass(frozen=True, slots=True)
class Window:
    """The parts of the diagram that are open. Equal windows are drawn once."""

    folds: _Folds = frozenset()
    """The folds of the author's that are open: their keys and values."""
    depth: int | None = None
    """Lists within so many others, or more, are closed. None: no list is."""
    fits: bool = False
    """True: `depth` is chosen so that there are not too many boxes."""
    opened: frozenset[str] = frozenset()
    """The ids of lists, and of ranges, that are open all the same."""

    @classmethod
    def of(
        cls,
        unfold: Mapping[str, Collection[str]] | Literal["all"],
        *,
        depth: int | None = None,
        fits: bool = False,
        opened: Collection[str] = (),
    ) -> Self:
        """The window that shows the values of these keys unfolded."""
        if isinstance(unfold, str):
            folds: _Folds = unfold
        else:
            folds = frozenset((key, value) for key, values in unfold.items() for value in values)
        return cls(folds, depth, fits, frozenset(opened))

    @property
    def unfold(self) -> Unfold:
        """Its open folds, by their keys."""
        if isinstance(self.folds, str):
            return self.folds
        unfold: dict[str, list[str]] = {}
        for key, value in self.folds:
            unfold.setdefault(key, []).append(value)
        return unfold

    def closing(self, depth: int | None) -> Closing:
        """Closes lists at this depth, but the opened ones."""
        return Closing(depth, self.opened)


WHOLE = Window()
"""All of the diagram, but the folds of the author's."""
