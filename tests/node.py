"""Packages of npm that tests need: brought by npm, for tests only, never shipped."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

_COMMAND = ("ci", "--ignore-scripts", "--no-audit", "--no-fund")


def require_packages(folder: Path) -> Path:
    """The folder `node_modules` of a folder with a lock file. It is installed when it is first
    asked for, however many workers ask. Without npm the test is skipped, but fails in CI.
    """
    with (folder / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_installed(folder):
            subprocess.run([_npm(folder), *_COMMAND], cwd=folder, check=True, capture_output=True)
    return folder / "node_modules"


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
