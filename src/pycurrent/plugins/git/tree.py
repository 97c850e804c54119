"""The content below paths of a commit, so that what has not changed is not run again."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

from pycurrent.errors import WrongKind
from pycurrent.plugins.git.commit import Commit
from pycurrent.plugins.git.contents import Question
from pycurrent.plugins.git.objects import ObjectReader
from pycurrent.plugins.git.subtree import (
    FOLDER,
    SUBMODULE,
    Subtree,
    TreeEntry,
    checked_paths,
)
from pycurrent.plugins.options import named_after, operation_component
from pycurrent.term import Current, Failure, Ok, Output, Primitive, constant, map, shown

Paths: TypeAlias = str | Sequence[str]
"""One path, or several."""

_FEW = 5
"""How many names a failure gives."""


def tree(
    commit: Commit | Current[Commit],
    *paths: Paths | Current[str] | Current[Sequence[str]] | Current[list[str]],
    label: str | None = None,
) -> Current[Subtree]:
    """The content at some paths of a commit: folders or files. Without paths it is all content.

    Each of `paths` is one path, or a list of them, which has one at least.

    Use it in the place of the commit: a job then runs again only if the content at these paths has
    changed, and the same content of another commit is known already. Its checkout has these
    paths, at their places, and nothing else, and no history. No job runs for this, and nothing is
    recorded. It fails if the commit lacks one of the paths, or has a submodule there.

    For commits of `git.Local`, `clone` and `fetch` it is known together with the commit, so that a
    running job goes on if its part is as it was. For others it is known a moment later.
    """
    known = [path for path in paths if not isinstance(path, Current)]
    checked_paths(_texts(known))

    @named_after(tree)
    def on_values(commit: Commit, where: str, *paths: Paths) -> Primitive[Subtree]:
        wanted = checked_paths(_texts(paths))
        return _AtPaths(wanted).of(commit).map_output(partial(_seen_in, commit))

    where: str | Current[str] = _shown(*known)
    if len(known) < len(paths):
        each: list[Current[Any]] = [
            path if isinstance(path, Current) else constant(path) for path in paths
        ]
        where = map(_shown, *each)
    return operation_component(label, "{where} @{commit}", on_values, commit, where, *paths)


@dataclass(frozen=True, slots=True)
class _AtPaths(Question[Subtree]):
    paths: tuple[str, ...]

    def read(self, reader: ObjectReader, commit: Commit) -> Subtree:
        root = reader.read(f"{commit.hash}^{{tree}}")
        if root is None:
            raise Failure(f"there is no commit {commit.hash} in {commit.repository}")
        entries = [_entry(reader, commit, root.hash, path) for path in self.paths]
        whole = (TreeEntry("", FOLDER, root.hash),)
        return Subtree(commit.repository, tuple(entries) or whole)


def _seen_in(commit: Commit, output: Output[Subtree]) -> Output[Subtree]:
    return Ok(replace(output.value, commit=commit)) if isinstance(output, Ok) else output


def _entry(reader: ObjectReader, commit: Commit, root: str, path: str) -> TreeEntry:
    """Walk from the folder of the whole commit to a path. Raises Failure."""
    mode, hash, parts = FOLDER, root, path.split("/")
    for at, part in enumerate(parts):
        above = "/".join(parts[:at])
        if mode != FOLDER:
            raise Failure(f"{commit} has no {path}: {_kind(mode, above)}")
        folder = reader.folder(hash)
        if part not in folder:
            raise Failure(f"{commit} has no {path}: {_nearest(folder, above, part)}")
        mode, hash = folder[part]
    if mode == SUBMODULE:
        raise Failure(f"{_kind(mode, path)}, which git.tree does not give: use the whole commit")
    return TreeEntry(path, mode, hash)


def _kind(mode: str, path: str) -> str:
    return f"{path} is a submodule" if mode == SUBMODULE else f"{path} is a file"


def _nearest(folder: Mapping[str, object], above: str, name: str) -> str:
    if not folder:
        return f"{above or 'it'} is empty"
    near = difflib.get_close_matches(name, folder, _FEW) or sorted(folder)[:_FEW]
    more = "" if len(near) == len(folder) else " ..."
    return f"it has {', '.join('/'.join(filter(None, (above, one))) for one in near)}{more}"


def _texts(paths: Iterable[object]) -> tuple[str, ...]:
    return tuple(path for each in paths for path in _texts_of(each))


def _texts_of(given: object) -> Iterable[str]:
    """The paths of one argument."""
    if isinstance(given, str):
        return (given,)
    if not isinstance(given, list | tuple) or not all(isinstance(path, str) for path in given):
        raise WrongKind(
            f'git.tree takes paths as texts, not {shown(given)}: write "packages/a", or a list'
        )
    if not given:
        raise WrongKind("git.tree has got a list without a path: without any, it is all content")
    return given


def _shown(*paths: Paths) -> str:
    return ", ".join(_texts(paths)) or "all"
