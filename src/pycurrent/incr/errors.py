"""The exceptions of the core. Authors of pipelines see their messages."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any


class Cycle(ValueError):
    """A part of the graph needs the node that made it."""

    def __init__(self) -> None:
        super().__init__("this part of the pipeline needs its own outcome")


class Duplicate(ValueError):
    """Two different items have the same key."""

    def __init__(self, key: Hashable, one: Any, other: Any) -> None:
        super().__init__(f"two different items have the key {key!r}: {one!r} and {other!r}")


class Unhashable(TypeError):
    """The key of an item is not hashable."""

    def __init__(self, key: object, *, is_item: bool) -> None:
        super().__init__(
            f"an item that is not hashable needs a key= to tell it from others: {key!r}"
            if is_item
            else f"the key of an item is not hashable: {key!r}"
        )
