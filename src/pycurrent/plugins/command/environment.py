"""The environments of commands: the engine's own with additions, or a clean one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from pycurrent.errors import UsageError, WrongKind
from pycurrent.plugins.git import outside_repositories
from pycurrent.term import shown

BASICS: Mapping[str, str] = MappingProxyType(
    {
        "LANG": "C.UTF-8",
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    }
)
"""The same on each machine. The home is the command's own, and so are its temporary files."""


@dataclass(frozen=True, slots=True)
class CleanEnv:
    """An environment that has nothing of the engine's: `PATH` with the system's folders,
    `LANG=C.UTF-8`, `HOME` and `TMPDIR`, which are empty folders of the command's own, and these
    variables. `env="clean"` is the same as `env=CleanEnv()`.

    Raises UsageError for what is not a dict of texts.
    """

    variables: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check(self.variables)


def _check(variables: Any) -> None:
    if not isinstance(variables, Mapping):
        raise WrongKind(f'CleanEnv takes a dict, not {shown(variables)}: write {{"NAME": "value"}}')
    for name, value in variables.items():
        if not isinstance(name, str) or not isinstance(value, str):
            wrong = value if isinstance(name, str) else name
            raise WrongKind(f"CleanEnv takes texts, not {shown(wrong)}: write str(...)")


Env = Mapping[str, str] | CleanEnv | Literal["clean"] | None
"""The forms in which authors give it."""


def variables_of(env: Env) -> tuple[dict[str, str], bool]:
    """Return the variables that are given, and True if there are to be no others but the basics.

    Raises UsageError for a text other than "clean".
    """
    match env:
        case None:
            return {}, False
        case "clean":
            return {}, True
        case CleanEnv(variables):
            return dict(variables), True
        case Mapping():
            return dict(env), False
        case _:
            raise UsageError(
                f'env= takes a dict, "clean" or CleanEnv({{...}}), not {shown(env)}: write'
                ' {"NAME": "value"}, say'
            )


def added(variables: Mapping[str, str]) -> dict[str, str | None]:
    """Return the changes that add variables to the engine's own environment.

    The command must not find another repository than the one that it runs in.
    """
    return outside_repositories(variables)


def clean(variables: Mapping[str, str], **own: str) -> dict[str, str | None]:
    """Return the changes that replace the engine's own environment by the basics, the command's
    `own` folders and the variables.
    """
    return {**dict.fromkeys(os.environ), **BASICS, **own, **variables}


def own_folders(scratch: Path) -> dict[str, str]:
    """Make the folders of a command outside a sandbox. Blocks."""
    folders = {"HOME": scratch / "home", "TMPDIR": scratch / "tmp"}
    for folder in folders.values():
        folder.mkdir()
    return {name: str(folder) for name, folder in folders.items()}
