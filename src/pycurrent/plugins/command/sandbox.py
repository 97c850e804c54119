"""The description of a sandbox: the files and the network that a command may use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pycurrent.errors import UsageError


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A sandbox with the checkout, the system's programs, and the files that are named here.

    With `network` a command shares the machine's network; otherwise it only has a loopback device
    of its own. `read_only` and `writable` are more files and folders of the machine, at the same
    paths; they must exist when the command runs. Raises UsageError for a path that is not absolute,
    or is both.

    A sandbox is part of the key of a command. The order of the paths does not matter.
    """

    network: bool = False
    read_only: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        for path in (*self.read_only, *self.writable):
            _check(path)
        if both := set(self.read_only) & set(self.writable):
            raise UsageError(
                f"{min(both)} can't be both read_only and writable in a sandbox: choose one"
            )

    def to_json(self) -> object:
        """The form in keys."""
        return {
            "network": self.network,
            "read_only": sorted(map(str, set(self.read_only))),
            "writable": sorted(map(str, set(self.writable))),
        }

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """The sandbox of a recorded key."""
        read_only, writable = (tuple(map(Path, data[name])) for name in ("read_only", "writable"))
        return cls(data["network"], read_only, writable)


def _check(path: Path) -> None:
    if not isinstance(path, Path) or not path.is_absolute() or ".." in path.parts:
        raise UsageError(f'a sandbox takes absolute paths, not {path!r}: write Path("/opt/tool")')
    if path == Path(path.anchor):
        raise UsageError(
            f"a sandbox with all of {path} protects nothing: name the folders that it needs"
        )
