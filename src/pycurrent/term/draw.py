"""The diagram of a pipeline, as data."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Literal, TypeAlias
from urllib.parse import quote

from pycurrent.term.box_ids import BoxIds
from pycurrent.term.closed import Closing
from pycurrent.term.current import Current
from pycurrent.term.drawing import Drawing
from pycurrent.term.graph_data import Graph
from pycurrent.term.held_ids import HeldIds
from pycurrent.term.hiding import Hiding
from pycurrent.term.picture import Picture
from pycurrent.term.status import Statuses
from pycurrent.term.term_graph import TermGraph
from pycurrent.term.walk import Walk

Unfold: TypeAlias = Mapping[str, str | Collection[str]] | Literal["all"]


def job_page(job_id: str) -> str:
    """Where the web pages show a job."""
    return f"/job/{quote(job_id)}"


def graph_of(
    root: Current[Any],
    graph: TermGraph | None,
    *,
    unfold: Unfold = MappingProxyType({}),
    job_link: Callable[[str], str | None] = job_page,
    fold_link: Callable[[str, str], str | None] = lambda key, value: None,
    closing: Closing | None = None,
) -> Graph:
    """The diagram of a pipeline, with its states in an engine between two of its steps.

    With `graph` None it is what can be drawn of a pipeline that does not run: binds as boxes,
    and an example of what would be done for each item of a list. Folds are shown folded, but
    those whose key `unfold` maps to their value, or to a collection that has it; a fold is marked
    if a stage that it hides has failed. `job_link`
    and `fold_link` give the links of the boxes. `closing` says which lists are shown closed;
    without it none is.
    """
    statuses = Statuses(graph)
    drawing = Drawing(job_link, fold_link, _ids_of(graph, statuses))
    walk = Walk(statuses, partial(_is_unfolded, unfold), drawing, closing or Closing())
    for _ in walk.run(root):
        """It may as well go on."""
    if graph is not None:
        for _ in Hiding(drawing, walk.drawn).note(graph):
            """The same."""
    return drawing.graph()


def picture_of(
    root: Current[Any],
    live: TermGraph,
    *,
    unfold: Unfold = MappingProxyType({}),
    job_link: Callable[[str], str | None] = job_page,
    closing: Closing | None = None,
    most: int | None = None,
) -> Generator[None, None, Picture | None]:
    """Draw the same to keep it. Stops about every millisecond, for other things to be done; until
    the picture has been noted, too (see `Picture.note`), there must be no step. Returns None
    instead if there would be more than `most` boxes.
    """
    statuses = Statuses(live)
    drawing = Drawing(job_link, lambda key, value: None, _ids_of(live, statuses))
    walk = Walk(statuses, partial(_is_unfolded, unfold), drawing, closing or Closing())
    for _ in walk.run(root):
        if most is not None and len(drawing.nodes) > most:
            return None
        yield
    if most is not None and len(drawing.nodes) > most:
        return None
    return Picture(live, walk, drawing)


def _ids_of(live: TermGraph | None, statuses: Statuses) -> BoxIds:
    if live is None:
        return BoxIds(HeldIds(), (), statuses.path)
    return BoxIds(live.account.box_ids, live.nodes, statuses.path)


def _is_unfolded(unfold: Unfold, key: str, value: str) -> bool:
    if isinstance(unfold, str):
        return True
    values = unfold.get(key, ())
    return value == values if isinstance(values, str) else value in values
