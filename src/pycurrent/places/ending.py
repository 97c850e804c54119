"""Ends all that a job has at a place, and has nothing of it begin there any more.

The engine has this run when nothing on its machine stands for the job's commands any more. Sent as
it is, and run by any Python from 3.8 on, with the token as argument by which the place knows the
job. Status 0 says that nothing of the job runs. See `agent.py` for the folders.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sys
import time

# ruff: noqa: PTH103, PTH104, PTH110, PTH111, PTH118, PTH123, PTH208

ENDED = "ended"
"""The file by which an agent knows that it may begin nothing for the job: see `agent.py`."""
_NEW = ".new"
_END = b"E"
_LOOK = 0.05
_DYING = 0.5
"""Seconds that the guard of a supervisor which was killed has to end its command."""


def _begun(top: str) -> list[str]:
    """The run folders of commands that may run. Folders whose commands nobody has begun go."""
    found = []
    for name in os.listdir(top):
        folder = os.path.join(top, name)
        if name.endswith(_NEW):
            # Renamed, it is one that no supervisor can begin.
            with contextlib.suppress(OSError):
                os.rename(folder, f"{folder}.gone-{os.getpid()}")
        elif ".gone-" not in name and _is_at_work(folder):
            found.append(folder)
    return found


def _is_at_work(folder: str) -> bool:
    """True for the folder of a command of which it is not known that it has ended."""
    has_spool = os.path.exists(os.path.join(folder, "spool"))
    return has_spool and not os.path.exists(os.path.join(folder, "status"))


def _told_to_end(folder: str) -> socket.socket | None:
    """The socket to the supervisor of a command, which was told to end it; None without one."""
    sock = socket.socket(socket.AF_UNIX)
    place = -1
    try:
        place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        sock.connect(f"/proc/self/fd/{place}/socket")
    except OSError:
        sock.close()
        return None
    finally:
        if place >= 0:
            os.close(place)
    # Somebody else may have attached itself just now: then it is at its end already.
    with contextlib.suppress(OSError):
        sock.sendall(_END)
    return sock


def _end(folders: list[str]) -> None:
    for folder, sock in [(folder, _told_to_end(folder)) for folder in folders]:
        _wait(folder, sock)


def _wait(folder: str, sock: socket.socket | None) -> None:
    """Wait for the end of a command that was told to end."""
    while sock is not None:
        with contextlib.suppress(OSError):
            while sock.recv(4096):
                """It says how it goes on."""
        sock.close()
        if not _is_at_work(folder):
            return
        # Somebody else has attached itself since, and so was this one sent away.
        time.sleep(_LOOK)
        sock = _told_to_end(folder)
    if _is_at_work(folder):
        time.sleep(_DYING)


def main(job: str) -> int:
    """See the module."""
    top = os.path.join(os.path.expanduser("~/.cache/pycurrent/run"), job)
    os.makedirs(top, 0o700, exist_ok=True)
    # First: a folder that was made before is found below, and agents that come later see this.
    open(os.path.join(top, ENDED), "w").close()
    while True:
        before = sorted(os.listdir(top))
        begun = _begun(top)
        _end(begun)
        if not begun and sorted(os.listdir(top)) == before:
            break
        for folder in begun:
            shutil.rmtree(folder, ignore_errors=True)
    for name in before:
        if name != ENDED:
            shutil.rmtree(os.path.join(top, name), ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[2]))
