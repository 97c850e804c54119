"""The scripts and styles of the site, and the *bundle* that is made of them.

A page needs some forty small files, each of which is a request. So when the package is built
they are joined to a few, in the folder `bundle`, by the same names. The bundle has a
digest of its sources: if one has changed since, the sources are served.

Used by the build, too: standard library only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

BUNDLE = "bundle"
STAMP = f"{BUNDLE}/made-from.sha256"
ENTRIES = (
    "css/log.css",
    "css/pipeline.css",
    "css/site.css",
    "js/job.js",
    "js/jobs.js",
    "js/pipeline.js",
    "js/site.js",
    "js/stage.js",
    "js/streams.js",
)
"""The files that pages name. The rest are files that these need."""


def read_files(folder: Path) -> dict[str, bytes]:
    """All files below the folder, by their paths in it."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def state_of(files: Mapping[str, bytes]) -> str:
    """A digest of the sources' state, which differs for any change."""
    sources = {path: data for path, data in files.items() if not path.startswith(f"{BUNDLE}/")}
    return digest(*(part for path in sorted(sources) for part in (path, sources[path])))


def digest(*parts: str | bytes) -> str:
    """Of these parts, in this order."""
    found = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        found.update(b"%d:" % len(data))
        found.update(data)
    return found.hexdigest()
