"""The path of a stage: its name for people and records, the same from run to run.

It consists of the keys of list items and the names of binds that the stage was built in, from the
root, and of its own name: the label without the values of other currents, as these change. Stages
that would have the same path, *twins*, are told apart by their constant arguments; if these are
equal, too, they are numbered in the order of building, unless their author gives them names.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from heapq import heappop, heappush

from msgspec import Struct

from pycurrent.term.primitive import StageRef
from pycurrent.term.shape import (
    Term,
)
from pycurrent.term.stage_names import (
    constants_of,
    full_path,
    told_name,
    untold_path,
    untold_paths,
)

_AT_ONCE = 200
"""How many stages are taken in between two stops: half a millisecond."""


class _Twin(Struct, frozen=True):
    """The place of a stage among those that might be taken for it."""

    path: tuple[str, ...]
    constants: tuple[str, ...]


class _Equals:
    """The stages with the same path and constants. They are numbered from 1, in the order of
    building, once somebody asks, and keep their numbers: a stage that takes another one's place in
    a step, in which both live for a while, takes its number too.
    """

    __slots__ = ("_free", "_new", "_numbers")

    def __init__(self) -> None:
        self._numbers: dict[Term, int] = {}
        self._new: dict[Term, None] = {}
        """The stages that nobody has asked for, and that have no number."""
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self._numbers) + len(self._new)

    def add(self, term: Term) -> None:
        self._new[term] = None

    def remove(self, term: Term) -> None:
        number = self._numbers.pop(term, None)
        if number is None:
            del self._new[term]
        else:
            heappush(self._free, number)

    def number_of(self, term: Term) -> int:
        for new in self._new:
            number = heappop(self._free) if self._free else len(self._numbers) + 1
            self._numbers[new] = number
        self._new.clear()
        return self._numbers[term]


class _Group:
    """The stages whose paths have the same hash: twins, as a rule."""

    __slots__ = ("has_grown", "members", "paths")

    def __init__(self) -> None:
        self.members: dict[Term, _Twin] = {}
        self.paths: dict[tuple[str, ...], dict[tuple[str, ...], _Equals]] = {}
        self.has_grown = False
        """True if one was added since this was set to False."""

    def add(self, term: Term, path: tuple[str, ...]) -> None:
        self.has_grown = True
        constants = constants_of(term)
        self.paths.setdefault(path, {}).setdefault(constants, _Equals()).add(term)
        self.members[term] = _Twin(path, constants)

    def remove(self, term: Term) -> None:
        twin = self.members.pop(term)
        twins = self.paths[twin.path]
        equals = twins[twin.constants]
        equals.remove(term)
        if not equals:
            del twins[twin.constants]
            if not twins:
                del self.paths[twin.path]


def _short_hash(path: tuple[str, ...]) -> int:
    """A hash of 30 bits: a longer number takes half as much memory again."""
    return hash(path) & 0x3FFFFFFF


class Paths:
    """The paths of the stages that live in one engine.

    It keeps nothing until somebody asks for a path, and then of each stage only a hash, as paths
    are made of what the terms have: of a million stages, none of them twins, that is 85 MB. Stages
    that have once been told apart stay so: a path does not change while twins come and go.

    In the middle of a step a stage that is built again and the one whose place it takes both live.
    They do not count as twins: stages are told apart once somebody asks, without those that leave.
    """

    def __init__(
        self,
        living: Callable[[], Iterable[Term]],
        alive: Container[Term],
        *,
        leaves: Callable[[Term], bool] = lambda term: False,
        hash_of: Callable[[tuple[str, ...]], int] = _short_hash,
    ) -> None:
        """`living()` gives the stages that live now, and `alive` has them. One of them `leaves` if
        what it was built in was undone, so that it is released with the step as a rule.
        """
        self._leaves = leaves
        self._living = living
        self._alive = alive
        self._hash_of = hash_of
        self._is_asked = False
        self._is_whole = False
        # The stages that lived when somebody asked first, and are not taken in yet.
        self._rest: Iterator[Term] = iter(())
        self._groups: dict[int, Term | _Group] = {}
        # The paths of twins that are told apart by their constants.
        self._split: set[tuple[str, ...]] = set()

    def take_in(self) -> Iterator[None]:
        """Take in all stages that live, which `of` would do in one go, and stop now and then."""
        if not self._is_asked:
            self._is_asked = True
            self._rest = iter([*self._living()])
        rest = self._rest
        for number, term in enumerate(rest, 1):
            if term in self._alive:
                self.add(term)
            if not number % _AT_ONCE:
                yield
        # Unless they were forgotten meanwhile.
        self._is_whole = rest is self._rest

    def _take_in_rest(self) -> None:
        """Take in what is not yet, in one go: it is needed now."""
        if not self._is_whole:
            for _ in self.take_in():
                pass

    def forget(self) -> None:
        """Keep nothing until somebody asks again."""
        self._is_asked = self._is_whole = False
        self._rest = iter(())
        self._groups.clear()
        self._split.clear()

    def of(self, term: Term) -> StageRef:
        """Return the reference of a living stage."""
        path, is_stable = self._told(term)
        return StageRef(path, is_stable=is_stable)

    def path_of(self, term: Term) -> tuple[str, ...]:
        """The path alone, in half the time."""
        return self._told(term)[0]

    def _told(self, term: Term) -> tuple[tuple[str, ...], bool]:
        """The path of a living stage; False if only the order of building tells it from others."""
        self._take_in_rest()
        path = untold_path(term)
        group = self._groups[self._hash_of(path)]
        if isinstance(group, Term):
            if path not in self._split:
                return path, True
            return self._told_apart(path, constants_of(term), 1), True
        if term not in group.members:
            # It was leaving, and lives on, as somebody else needs it.
            group.add(term, path)
        elif group.has_grown:
            for other in [other for other in group.members if self._leaves(other)]:
                if other is not term:
                    group.remove(other)
        group.has_grown = False
        twin = group.members[term]
        twins = group.paths[path]
        if len(twins) > 1:
            self._split.add(path)
        constants = twin.constants if path in self._split else ()
        equals = twins[twin.constants]
        number = equals.number_of(term)
        is_only = number == 1 and len(equals) == 1
        return self._told_apart(path, constants, number), is_only

    def find(self, text: str) -> Term | None:
        """The living stage whose path, as text, this is; None if there is none."""
        return next((term for term in self.alike(text) if str(self.of(term)) == text), None)

    def with_full_path(self, text: str) -> list[Term]:
        """The living stages with this full path (see `full_path`), as text: several if they are
        equal.
        """
        names = tuple(StageRef.names_in(text))
        return [term for term in self.alike(text) if full_path(term) == names]

    def alike(self, text: str) -> Iterator[Term]:
        """The living stages that have a path, as text, but for what tells them from their twins."""
        for path in untold_paths(StageRef.names_in(text)):
            yield from self._with_untold_path(path)

    def like(self, term: Term) -> list[Term]:
        """The living stages with the path of a stage that may be gone, apart from what tells twins
        from each other.
        """
        return [*self._with_untold_path(untold_path(term))]

    def _with_untold_path(self, path: tuple[str, ...]) -> Iterator[Term]:
        self._take_in_rest()
        group = self._groups.get(self._hash_of(path))
        members = [*group.members] if isinstance(group, _Group) else [group]
        for member in members:
            if member is not None and untold_path(member) == path:
                yield member

    def _told_apart(
        self, path: tuple[str, ...], constants: tuple[str, ...], number: int
    ) -> tuple[str, ...]:
        *around, name = path
        name = told_name(name, constants)
        if number > 1:
            name += f"#{number}"
        while (found := (*around, name)) != path and self._has(found):
            # Another stage has this very name.
            name += "#"
        return found

    def _has(self, path: tuple[str, ...]) -> bool:
        """True if a living stage has this path, but for what tells it from its twins."""
        match self._groups.get(self._hash_of(path)):
            case None:
                return False
            case _Group() as group:
                return path in group.paths
            case term:
                return untold_path(term) == path

    def add(self, term: Term) -> None:
        """Take in a new stage. Twice is fine."""
        if not self._is_asked:
            return
        path = untold_path(term)
        key = self._hash_of(path)
        group = self._groups.setdefault(key, term)
        if group is term:
            return
        if isinstance(group, Term):
            first, group = group, _Group()
            self._groups[key] = group
            group.add(first, untold_path(first))
        if term not in group.members:
            group.add(term, path)

    def remove(self, term: Term) -> None:
        """Forget a released stage. Twice is fine."""
        if not self._is_asked:
            return
        key = self._hash_of(untold_path(term))
        group = self._groups.get(key)
        if group is term:
            del self._groups[key]
        elif isinstance(group, _Group) and term in group.members:
            group.remove(term)
            if not group.members:
                del self._groups[key]
