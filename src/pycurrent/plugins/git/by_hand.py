"""The commands by which a person gets the same commit."""

from __future__ import annotations

import shlex

from pycurrent.plugins.git.address import RepositoryAddress


def from_elsewhere(address: RepositoryAddress, hash: str) -> str:
    """From the other side, into a new folder. The commit need not be on any branch by now."""
    steps = ["fetch origin", "checkout --detach"]
    return _steps(str(address), address.name, [f"{step} {hash}" for step in steps], recurse=True)


def from_here(repository: str, name: str, hash: str, *, recurse: bool) -> str:
    """From a repository on this machine; with its submodules, if that is said."""
    return _steps(repository, name, [f"checkout --detach {hash}"], recurse=recurse)


def _steps(repository: str, name: str, steps: list[str], *, recurse: bool) -> str:
    name = shlex.quote(name)
    steps = [*steps, *(["submodule update --init --recursive"] if recurse else [])]
    clone = f"git clone {shlex.quote(repository)} {name}"
    return " && ".join([clone, *(f"git -C {name} {step}" for step in steps)])
