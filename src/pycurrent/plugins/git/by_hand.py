"""Commands by which a person gets the same commit."""

from __future__ import annotations

import shlex

from pycurrent.plugins.git.address import RepositoryAddress


def from_elsewhere(address: RepositoryAddress, hash: str) -> str:
    """Get a commit from a remote repository, even if it has left all branches."""
    steps = ["fetch origin", "checkout --detach"]
    return _steps(str(address), address.name, [f"{step} {hash}" for step in steps], recurse=True)


def from_here(repository: str, name: str, hash: str, *, recurse: bool) -> str:
    """Get a commit from a repository on this machine, with its submodules if `recurse`."""
    return _steps(repository, name, [f"checkout --detach {hash}"], recurse=recurse)


def _steps(repository: str, name: str, steps: list[str], *, recurse: bool) -> str:
    name = shlex.quote(name)
    steps = [*steps, *(["submodule update --init --recursive"] if recurse else [])]
    clone = f"git clone {shlex.quote(repository)} {name}"
    return " && ".join([clone, *(f"git -C {name} {step}" for step in steps)])
