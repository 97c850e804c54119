"""Names for the terms of a pipeline, by which a browser knows its boxes again."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable


class Names:
    """Gives each term a name, which stays its own for as long as the term is in use.

    A name is not used again, and says nothing: another engine gives other ones.
    """

    def __init__(self) -> None:
        self._names: dict[Hashable, str] = {}
        self._given = 0
        self._tidy_at = 1000

    def __contains__(self, term: Hashable) -> bool:
        return term in self._names

    def __len__(self) -> int:
        return len(self._names)

    def of(self, term: Hashable) -> str:
        """Its name, a new one if it has none."""
        name = self._names.get(term)
        if name is None:
            self._given += 1
            name = self._names[term] = f"b{self._given}"
        return name

    def tidy(self, in_use: Callable[[], Iterable[Hashable]]) -> None:
        """Forget the terms that are not in use any more, if there are many names by now.

        Costs as much as there are names, but only when their number has doubled.
        """
        if len(self._names) < self._tidy_at:
            return
        kept = set(in_use())
        self._names = {term: name for term, name in self._names.items() if term in kept}
        self._tidy_at = max(1000, 2 * len(self._names))
