"""What the tests need of the system, got from its own packages where it is missing.

Only root can do that, with a network. Nothing is taken from elsewhere.
"""

import fcntl
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

FOLDER = Path.home() / ".cache" / "pycurrent-tests"
"""What test sessions have in common."""


PACKAGES = {"busybox": "busybox-static"}
"""The packages of programs that several kinds of tests use, where the name is not the program's.

Images are made of this `busybox`, and have no libraries for the other one.
"""


class MissingPart(Exception):
    """The tests can't run here, and why."""


def have(programs: Mapping[str, str]) -> None:
    """Have these programs, named with the packages that they are in. Raises MissingPart."""
    with one_at_a_time():
        install(programs)


def path_of(program: str) -> str | None:
    """Where it is. A user's PATH need not have what is for administrators."""
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def install(programs: Mapping[str, str]) -> None:
    """Install what is missing of them; within `one_at_a_time`. Raises MissingPart."""
    missing = {name: package for name, package in programs.items() if path_of(name) is None}
    if not missing:
        return
    if platform.system() != "Linux":
        raise MissingPart(f"there is no {', '.join(missing)}: it can be installed on Linux only")
    if os.geteuid() != 0:
        raise MissingPart(
            f"there is no {', '.join(missing)}: only root can install "
            + ", ".join(sorted(set(missing.values())))
        )
    apt("update", "-qq")
    apt("install", "-y", "--no-install-recommends", *sorted(set(missing.values())))
    if still := [name for name in missing if path_of(name) is None]:
        raise MissingPart(f"the packages were installed, but there is no {', '.join(still)}")


def release() -> str:
    """The name of this one."""
    return platform.freedesktop_os_release().get("VERSION_CODENAME", "")


def apt(*words: str, cwd: Path | None = None) -> None:
    """Raises MissingPart."""
    run("apt-get", "-o", "DPkg::Lock::Timeout=300", *words, cwd=cwd)


def run(*argv: str, cwd: Path | None = None) -> None:
    """Raises MissingPart."""
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            argv, cwd=cwd, env=environ, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise MissingPart(f"there is no {argv[0]} to get what is missing") from None
    if done.returncode:
        last = (done.stderr.strip() or "no reason given").splitlines()[-1]
        raise MissingPart(f"{' '.join(argv)}: {last}")


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Test sessions, and the workers of one, wait for each other."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "parts.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def missing(reason: str) -> NoReturn:
    """There is no way to run the test: it is skipped, but where all have to run it fails."""
    if os.environ.get("CI") or os.environ.get("PYCURRENT_REQUIRE_ALL"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
