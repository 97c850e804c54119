"""Tells of items what plugins know, by the labels of their stages: the title of a pull request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from msgspec import Struct


class About(Struct, frozen=True):
    """The facts that are known of an item. All texts are as others have written them."""

    title: str | None = None
    author: str | None = None
    url: str | None = None
    """Its page elsewhere."""
    commit: str | None = None
    """The commit that it is at, with its author and its subject, in a line."""
    commit_url: str | None = None


Teller: TypeAlias = Callable[[Mapping[str, str]], Awaitable[About | None]]
"""Tells of the item whose stages all have these labels; None for one of others."""


class Abouts:
    """All that can tell of items: a service of an engine. Belongs to the thread of its loop."""

    def __init__(self, engine: object) -> None:
        self._tellers: list[Teller] = []

    def add(self, teller: Teller) -> None:
        """Have it asked, too."""
        self._tellers.append(teller)

    async def of(self, labels: Mapping[str, str]) -> About | None:
        """The facts that the first one tells that knows the item; None if none does."""
        for teller in self._tellers:
            if (found := await teller(labels)) is not None:
                return found
        return None
