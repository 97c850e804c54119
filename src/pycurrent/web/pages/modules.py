"""The scripts that a script needs, so that a page can have them all loaded at once.

A browser learns what a module imports only when it has come: a graph of modules that is four
deep takes four round trips, unless the page names them all.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from posixpath import normpath

from pycurrent.web.pages.static import Files

_IMPORT = re.compile(r'(?:^|;)(?:import|export)\b[^;"]*"(\.{1,2}/[^"]+)"', re.MULTILINE)


class Modules:
    """The modules among the files of the site."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._needed: dict[str, tuple[str, ...]] = {}

    def needed_by(self, module: str) -> tuple[str, ...]:
        """The paths of a module and all that it imports. A module that is not there is left
        out: the browser says so best.
        """
        if module not in self._needed:
            found: dict[str, None] = {}
            self._visit(module, found)
            self._needed[module] = tuple(found)
        return self._needed[module]

    def _visit(self, path: str, found: dict[str, None]) -> None:
        content = self._files.get(path)
        if path in found or content is None:
            return
        found[path] = None
        for relative in _IMPORT.findall(content.decode()):
            self._visit(normpath(PurePosixPath(path).parent / relative), found)
