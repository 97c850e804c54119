"""Commands by which a person gets the same commit."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from itertools import chain

from pycurrent.plugins.git.address import RepositoryAddress
from pycurrent.plugins.git.subtree import Subtree, TreeEntry


def from_elsewhere(address: RepositoryAddress, hash: str) -> str:
    """Get a commit from a remote repository, even if it has left all branches."""
    steps = ["fetch origin", "checkout --detach"]
    return _steps(str(address), address.name, [f"{step} {hash}" for step in steps], recurse=True)


def from_here(repository: str, name: str, hash: str, *, recurse: bool) -> str:
    """Get a commit from a repository on this machine, with its submodules if `recurse`."""
    return _steps(repository, name, [f"checkout --detach {hash}"], recurse=recurse)


def part(repository: str | RepositoryAddress, subtree: Subtree) -> str:
    """Get the paths of a subtree from the commit in which it was found, or by their ids."""
    is_here = isinstance(repository, str)
    name = shlex.quote(subtree.name if isinstance(repository, str) else repository.name)
    steps = [f"git clone --no-checkout {shlex.quote(str(repository))} {name}"]
    if subtree.commit is None:
        commands = [shlex.join(words) for words in indexing(subtree.entries)]
    else:
        hash, paths = subtree.commit.hash, shlex.join(subtree.paths or ["."])
        commands = [] if is_here else [f"fetch origin {hash}"]
        commands.append(f"{_literally(paths)}checkout {hash} -- {paths}")
    return " && ".join([*steps, *(f"git -C {name} {command}" for command in commands)])


def indexing(entries: Iterable[TreeEntry]) -> list[list[str]]:
    """Return the arguments of git that bring entries to an empty index, and its files to disk."""
    files = [entry for entry in entries if not entry.is_folder]
    words = [
        ["read-tree", *([f"--prefix={entry.path}/"] if entry.path else []), entry.hash]
        for entry in entries
        if entry.is_folder
    ]
    if files:
        each = [("--cacheinfo", f"{file.mode},{file.hash},{file.path}") for file in files]
        words.append(["update-index", "--add", *chain.from_iterable(each)])
    return [*words, ["checkout-index", "--all"]]


def _literally(paths: str) -> str:
    return "--literal-pathspecs " if set("[\\") & set(paths) else ""


def _steps(repository: str, name: str, steps: list[str], *, recurse: bool) -> str:
    name = shlex.quote(name)
    steps = [*steps, *(["submodule update --init --recursive"] if recurse else [])]
    clone = f"git clone {shlex.quote(repository)} {name}"
    return " && ".join([clone, *(f"git -C {name} {step}" for step in steps)])
