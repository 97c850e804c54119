"""The names that the source binds, read with `ast`, for the pages that mention them."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src" / "pycurrent"


@dataclass
class Names:
    """The names of a tree: classes with their members and bases, and everything at the top."""

    members: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    bases: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    tops: set[str] = field(default_factory=set)
    modules: set[str] = field(default_factory=set)

    def has(self, name: str) -> bool:
        """True if `name` is a class, function or constant, or `Class.member`, own or inherited.

        A module or room may stand before it: `git.clone`, `engine.job.Job.start`.
        """
        *before, last = name.split(".")
        if not before:
            return last in self.tops or last in self.members or last in self.modules
        owner = before[-1]
        if owner in self.members:
            return self._has_member(owner, last) and self._are_modules(before[:-1])
        return self._are_modules(before) and self.has(last)

    def _are_modules(self, names: list[str]) -> bool:
        return set(names) <= self.modules

    def _has_member(self, owner: str, name: str) -> bool:
        return name in self.members[owner] or any(
            base in self.members and self._has_member(base, name) for base in self.bases[owner]
        )


@cache
def names_of_source() -> Names:
    """All names in the package."""
    found = Names()
    for path in SOURCE.rglob("*.py"):
        found.modules |= {path.stem, path.parent.name}
        _read(ast.parse(path.read_text()), found)
    return found


def names_of(tree: ast.Module) -> Names:
    """The names in one module; members that a class there inherits from elsewhere are not."""
    found = Names()
    _read(tree, found)
    return found


def _read(tree: ast.Module, found: Names) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            found.bases[node.name] |= {_name_of(base) for base in node.bases}
            found.members[node.name] |= set(_members(node))
    for node in tree.body:
        found.tops |= set(_bound(node))


def _name_of(base: ast.expr) -> str:
    match base:
        case ast.Subscript(value=value):
            return _name_of(value)
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
        case _:
            return ""


def _members(node: ast.ClassDef) -> Iterator[str]:
    for child in node.body:
        yield from _bound(child)
    for inner in ast.walk(node):
        match inner:
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                yield name


def _bound(node: ast.stmt) -> Iterator[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Assign(targets=targets):
            yield from (target.id for target in targets if isinstance(target, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name)):
            yield name
        case ast.If(body=body, orelse=orelse):
            for child in [*body, *orelse]:
                yield from _bound(child)
