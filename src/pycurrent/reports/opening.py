"""Opens the files of reports, which commands have left: whatever they are, and however large."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISREG

from pycurrent.reports.errors import ReportError

LARGEST = 256 << 20
"""In bytes: a larger report is refused."""


@contextmanager
def opened(path: Path) -> Iterator[Callable[[int], bytes]]:
    """Open a report for a block, which gets what reads its next bytes: so many at most.

    Raises `ReportError` for what is not a regular file, can't be read or is too large, also while
    it is read. Never waits for a writer.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ReportError(str(error.strerror)) from None
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        status = os.fstat(descriptor)
        if not S_ISREG(status.st_mode):
            raise ReportError("it is not a file")
        if status.st_size > LARGEST:
            raise _too_large()
        left = LARGEST

        def read(size: int) -> bytes:
            nonlocal left
            data = file.read(size)
            left -= len(data)
            if left < 0:
                raise _too_large()
            return data

        yield read


def _too_large() -> ReportError:
    return ReportError(f"it has more than {LARGEST >> 20} MiB")
