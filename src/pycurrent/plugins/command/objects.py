"""The places of objects that a checkout shares with other repositories."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def shared_objects(git_dir: Path) -> list[Path]:
    """Return the folders from which a repository and its submodules take objects. Blocks.

    Each repository names them in `objects/info/alternates`, and these may name further ones.
    """
    found: dict[Path, None] = {}
    waiting = [git_dir / "objects", *_modules(git_dir)]
    while waiting:
        for path in _alternates(waiting.pop()):
            if path not in found and path.is_dir():
                found[path] = None
                waiting.append(path)
    return sorted(found)


def _modules(git_dir: Path) -> Iterator[Path]:
    modules = git_dir / "modules"
    for listed in modules.glob("**/objects/info/alternates"):
        yield listed.parent.parent


def _alternates(objects: Path) -> Iterator[Path]:
    try:
        text = (objects / "info" / "alternates").read_text(errors="surrogateescape")
    except OSError:
        return
    for line in text.splitlines():
        if line and not line.startswith("#"):
            # A relative path is relative to the objects that name it.
            yield objects / line
