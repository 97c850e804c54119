"""What a command in a sandbox may see and change."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pycurrent.errors import UsageError


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Only the checkout, the system's programs, and what is named here.

    `network`: it is on the machine's network; otherwise it has a loopback device of its own.
    `read_only`, `writable`: more files and folders of the machine, at the same paths. They have
    to be there when the command is run. Raises UsageError for what can't be named so.

    A sandbox is part of what a command's result depends on. The order of the paths is not.
    """

    network: bool = False
    read_only: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        for path in (*self.read_only, *self.writable):
            _check(path)
        if both := set(self.read_only) & set(self.writable):
            raise UsageError(f"{min(both)} can't be both read-only and writable in a sandbox")

    def to_json(self) -> object:
        """As it is in keys."""
        return {
            "network": self.network,
            "read_only": sorted(map(str, set(self.read_only))),
            "writable": sorted(map(str, set(self.writable))),
        }

    @classmethod
    def from_json(cls, data: Any) -> Self:
        read_only, writable = (tuple(map(Path, data[name])) for name in ("read_only", "writable"))
        return cls(data["network"], read_only, writable)


def _check(path: Path) -> None:
    if not isinstance(path, Path) or not path.is_absolute() or ".." in path.parts:
        raise UsageError(f"what a sandbox may see is named by absolute paths, not by {path!r}")
    if path == Path(path.anchor):
        raise UsageError(f"{path} in a sandbox would be no sandbox: name the folders it needs")
