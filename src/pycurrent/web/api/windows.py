"""The window onto the diagram that a request asks for."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from fastapi import Depends, Query

from pycurrent.service import Window

_MOST_OPENED = 200
_LONGEST = 250
"""The characters of an id: 80 of the names around a list, 60 of its own, and 60 of a range's."""


async def _window(
    unfold: Annotated[
        list[Annotated[str, Query(pattern="^(all$|[^:]*:)", max_length=200)]],
        Query(description="A fold to open, as `key:value`, or `all`.", max_length=20),
    ] = [],  # noqa: B006 - never changed
    fold: Annotated[
        bool,
        Query(description="Close lists until there are at most 4000 boxes, if that is possible."),
    ] = False,
    depth: Annotated[
        int | None,
        Query(ge=0, le=100, description="Close the lists that are within so many others, or more."),
    ] = None,
    open: Annotated[
        list[Annotated[str, Query(min_length=1, max_length=_LONGEST)]],
        Query(description="The id of a closed list to open all the same.", max_length=_MOST_OPENED),
    ] = [],  # noqa: B006 - never changed
) -> Window:
    fits = fold and depth is None
    opened = open if fits or depth is not None else ()
    if "all" in unfold:
        return Window.of("all", depth=depth, fits=fits, opened=opened)
    folds: dict[str, list[str]] = {}
    for text in unfold:
        key, _, value = text.partition(":")
        folds.setdefault(key, []).append(value)
    return Window.of(folds, depth=depth, fits=fits, opened=opened)


WindowOf: TypeAlias = Annotated[Window, Depends(_window)]
