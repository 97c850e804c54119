"""Packages of npm that tests need: brought by npm, for tests only, never shipped."""

import base64
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

_COMMAND = ("ci", "--ignore-scripts", "--no-audit", "--no-fund")


def require_packages(folder: Path) -> Path:
    """The folder `node_modules` of a folder with a lock file. It is installed when it is first
    asked for, however many workers ask. Without npm the test is skipped, but fails in CI.
    """
    with _locked(folder):
        if not _is_installed(folder):
            subprocess.run([_npm(folder), *_COMMAND], cwd=folder, check=True, capture_output=True)
    return folder / "node_modules"


def require_files(folder: Path, package: str, names: tuple[str, ...]) -> tuple[Path, ...]:
    """Single files of a package that is too large to install. It is the one of the folder's lock
    file, and is brought when it is first asked for. Without npm: as above.
    """
    entry = f"node_modules/{package}"
    locked = json.loads((folder / "package-lock.json").read_text())["packages"][entry]
    # A folder for each version: what is there is never changed.
    home = folder / entry / locked["version"]
    with _locked(folder):
        if not all((home / name).is_file() for name in names):
            with TemporaryDirectory() as tmp:
                _pack(folder, f"{package}@{locked['version']}", Path(tmp))
                (packed,) = Path(tmp).glob("*.tgz")
                digest = base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode()
                assert locked["integrity"] == f"sha512-{digest}", (
                    f"{package} is another than locked"
                )
                _unpack(packed, names, home)
    return tuple(home / name for name in names)


def _pack(folder: Path, package: str, into: Path) -> None:
    command = (_npm(folder), "pack", package, "--ignore-scripts", "--pack-destination", str(into))
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def _unpack(packed: Path, names: tuple[str, ...], home: Path) -> None:
    with tarfile.open(packed) as archive:
        for name in names:
            source = archive.extractfile(f"package/{name}")
            assert source is not None, name
            target = home / name
            target.parent.mkdir(parents=True, exist_ok=True)
            begun = target.with_name(f"{target.name}.begun")
            begun.write_bytes(source.read())
            begun.replace(target)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is_installed(folder: Path) -> bool:
    """Whether what is there is what the lock file asks for: npm writes its own copy last."""
    installed = folder / "node_modules" / ".package-lock.json"
    asked = (folder / "package-lock.json").stat().st_mtime
    return installed.is_file() and installed.stat().st_mtime >= asked


def _npm(folder: Path) -> str:
    found = shutil.which("npm")
    if found is not None:
        return found
    reason = f"there is no npm to bring the packages of {folder}"
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
