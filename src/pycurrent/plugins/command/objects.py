"""Where the objects of a checkout are, that it does not have itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def shared_objects(git_dir: Path) -> list[Path]:
    """The folders from which a repository and its submodules' take objects, and so on. Blocks.

    They are named in `objects/info/alternates` of each; by their paths, as git looks for them.
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
            # Relative ones are relative to the objects that name them.
            yield objects / line
