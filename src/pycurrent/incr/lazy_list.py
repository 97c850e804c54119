"""A list that is built only when somebody reads it."""

from __future__ import annotations

from typing import Any


class LazyList:
    """An immutable snapshot of a list, as nested chunks, all of the same depth.

    One changed item of n costs new chunks along one path. `items` is the plain list, built once,
    on first use; don't change it, because it is shared.
    """

    __slots__ = ("_chunks", "_depth", "_items")

    def __init__(self, chunks: list[Any], depth: int) -> None:
        self._chunks = chunks
        self._depth = depth
        self._items: list[Any] | None = None

    def items(self) -> list[Any]:
        if self._items is None:
            chunks = self._chunks
            for _ in range(self._depth):
                chunks = [item for chunk in chunks for item in chunk]
            self._items = chunks
        return self._items

    def __eq__(self, other: object) -> bool:
        if isinstance(other, LazyList):
            return self is other or self.items() == other.items()
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]


def materialize(value: Any) -> Any:
    """The value for functions: a plain list instead of a lazy one."""
    return value.items() if value.__class__ is LazyList else value
