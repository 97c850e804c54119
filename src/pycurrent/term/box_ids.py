"""The ids of boxes and groups, by which a link finds them again, in another run of the engine too.

The id of a living stage is its path. Everything else has an id that can't be a path, in which each
`%` begins an escape, `%25` or `%2F`: the id of what it was built in, then `%` and the kind, then
what tells it from others of the kind: its label, its key, or the stage before it. The second one of
those that are equal in all of this ends in `%#2`.

A closed list and the group that it becomes once it is open have one id; so have ranges.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Sequence
from hashlib import sha256
from typing import TypeAlias

from pycurrent.incr import Item
from pycurrent.term import shape as shapes
from pycurrent.term.graph_data import GroupKind, NodeKind
from pycurrent.term.held_ids import Distinct, HeldIds, unnumbered
from pycurrent.term.output import Failed
from pycurrent.term.shape import Term, makers
from pycurrent.term.stage_names import cut, own_name, text_of_key

Kind: TypeAlias = NodeKind | GroupKind

_LONG_PLACE = 80
"""The characters beyond which the id of what something was built in is cut, as one may send ids by
the hundred in the address of a request.
"""
_LOOKED_AT = 50
"""How many terms are looked at for the stage that is nearest before one."""


class BoxIds:
    """Gives the ids of one drawing."""

    def __init__(
        self, held: HeldIds, alive: Container[Term], path_of: Callable[[Term], str | None]
    ) -> None:
        """`alive` has the terms that live: what else is drawn is numbered for this drawing only.
        `path_of` gives the paths of living stages.
        """
        self._held = held
        self._alive = alive
        self._path_of = path_of
        self._ids: dict[tuple[Term, Kind], str] = {}
        self._distinct = Distinct()

    def of(self, term: Term, kind: Kind) -> str:
        """The id of what is drawn for a term, unless that is a living stage. Twice is fine."""
        is_item = isinstance(term.shape, shapes.ItemOf)
        if not is_item and term in self._alive:
            id = self._held.find(term, kind)
            return id or self._held.take(term, kind, self._text(term, kind))
        id = self._ids.get((term, kind))
        if id is None:
            # Whether an item has a node depends on what its function uses.
            text = self._text(term, kind, lives=is_item)
            id = self._ids[term, kind] = self._distinct.take(text)
        return id

    def of_junction(self, sources: Iterable[str]) -> str:
        """The id of a point where the edges from these meet."""
        digest = sha256("\n".join(sorted(sources)).encode(errors="backslashreplace")).hexdigest()
        return self._distinct.take(f"%junction:{digest[:12]}")

    def opened_ranges(self, listing: Term, opened: Collection[str]) -> dict[str, str]:
        """Find the ids of ranges of a list among these, by what `opening` looks for."""
        if not opened:
            return {}
        start = self._start(listing, GroupKind.RANGE)
        return {unnumbered(id): id for id in sorted(opened) if id.startswith(start)}

    def opening(self, items: Iterable[Item], listing: Term, opened: dict[str, str]) -> str | None:
        """The id by which a range of these items was opened, when another one may have been the
        first of them; None if it is not open.
        """
        if not opened:
            return None
        start = self._start(listing, GroupKind.RANGE)
        texts = (f"{start}{_escaped(text_of_key(item.key))}" for item in items)
        return next((opened[text] for text in texts if text in opened), None)

    def _start(self, listing: Term, kind: Kind) -> str:
        """The beginning of the ids of a list's items, or ranges."""
        is_list = isinstance(listing.shape, shapes.ListMap)
        around = self.of(listing, GroupKind.LIST if is_list else GroupKind.OPTION)
        return f"{around}/%{kind.value}:"

    def _text(self, term: Term, kind: Kind, *, lives: bool = True) -> str:
        match term.shape:
            case shapes.ItemOf(parent=parent, item=item):
                return f"{self._start(parent, kind)}{_escaped(text_of_key(item.key))}"
        around = cut(self._around(term), _LONG_PLACE)
        mark = "" if lives else "idle "
        told = _told(term, kind)
        own = f"%{mark}{kind.value}{':' if told else ''}{_escaped(told)}"
        return f"{around}/{own}" if around else own

    def _around(self, term: Term) -> str:
        """The id of the item or the named bind that it was built in, and in an example what leads
        from there to it; empty if there is none.
        """
        names: list[str] = []
        for maker in makers(term):
            match maker.shape:
                case shapes.ItemOf(parent=parent, item=item) if isinstance(
                    parent.shape, shapes.ListMap
                ):
                    start = self._start(parent, NodeKind.ITEM)
                    names.append(f"{start}{_escaped(text_of_key(item.key))}")
                    break
                case shapes.BindShape(name=str() as name):
                    path = self._path_of(maker)
                    if path is not None:
                        names.append(path)
                        break
                    names.append(_escaped(name))
                case shapes.Placeholder(listing=shapes.ListMap(label=label, source=source)):
                    told = label or _nearest(source)
                    names.append(f"%item{':' if told else ''}{_escaped(told)}")
        return "/".join(reversed(names))


def _escaped(name: str) -> str:
    """A name as a path has it, but never longer; what can't be sent is written out."""
    name = name.encode(errors="backslashreplace").decode()
    return cut(name.replace("%", "%25").replace("/", "%2F"))


def _told(term: Term, kind: Kind) -> str:
    """Tells a box from others of its kind and place; empty if nothing does."""
    match term.shape:
        case shapes.Constant(output=Failed(message)) if kind is NodeKind.CONSTANT:
            return _name(term) or message
        case shapes.Collapse(key=key, value=value):
            return f"{key}={value}"
        case shapes.Gate(source=source, on=on):
            return " on ".join(filter(None, [_nearest(source), _nearest(on)]))
        case _:
            return _nearest(term)


def _nearest(term: Term) -> str:
    """The name of a term, or of the nearest one before it that has one."""
    for _ in range(_LOOKED_AT):
        name = _name(term)
        if name is not None:
            return name
        inputs: Sequence[Term] = term.shape.inputs()
        # Which one of an `all` comes first says nothing about it.
        if not inputs or isinstance(term.shape, shapes.All):
            return ""
        term = inputs[0]
    return ""


def _name(term: Term) -> str | None:
    match term.shape:
        case shapes.Component() | shapes.BindShape(name=str()):
            return own_name(term)
        case shapes.Constant(label=str() as label) | shapes.Itemwise(label=str() as label):
            return label
        case shapes.ItemOf(item=item):
            return text_of_key(item.key)
        case _:
            return None
