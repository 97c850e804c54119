"""The end of a command: its exit status, and the message of an error."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from pycurrent.cli.output import OutputLostError, complain, give_up, one_line, open_streams
from pycurrent.cli.status import SIGNALLED, CommandError, Exit
from pycurrent.errors import PycurrentError, UsageError

END_WITHIN = 10.0
"""How many seconds leftover threads and tasks may hold up the end of the process."""


def end_with(program: str, command: Callable[[], int]) -> NoReturn:
    """Run a command, and end the process with its status.

    A mistake of the user is one line on stderr; a bug keeps its traceback.
    """
    open_streams()
    status = status_of(program, command)
    # The interpreter waits for threads after this.
    end_within(END_WITHIN, status)
    # It also looks for cycles in all that there is, several times, though the process ends.
    gc.freeze()
    sys.exit(status)


def status_of(program: str, command: Callable[[], int]) -> int:
    """Run a command and return its status; report an error on stderr."""
    try:
        status = command()
        sys.stdout.flush()
        return status
    except UsageError as error:
        if frames := getattr(error, "frames", ""):
            complain(frames.removesuffix("\n"))
        return _complain(program, str(error), Exit.USAGE)
    except CommandError as error:
        return _complain(program, str(error), error.status)
    except OutputLostError as error:
        give_up(sys.stdout)
        return _complain(program, str(error), Exit.FAILED)
    except PycurrentError as error:
        return _complain(program, str(error), Exit.FAILED)
    except FileNotFoundError as error:
        if error.filename is not None or _has_folder():
            raise
        return _complain(
            program,
            "the current directory does not exist any more: go to one that does, or give absolute"
            " paths",
            Exit.USAGE,
        )
    except KeyboardInterrupt:
        return SIGNALLED + signal.SIGINT
    except BrokenPipeError:
        # The reader has seen enough. The rest of the buffer must not be written again.
        give_up(sys.stdout)
        return SIGNALLED + signal.SIGPIPE


def _has_folder() -> bool:
    """True if the current directory exists."""
    try:
        Path.cwd()
    except FileNotFoundError:
        return False
    return True


def _complain(program: str, message: str, status: int) -> int:
    complain(f"{program}: {one_line(message)}")
    return status


@contextmanager
def bounded_end(status: int) -> Iterator[None]:
    """Limit how long the process takes to end: the block waits for leftovers of the authors' code
    (threads, tasks that ignore their cancellation), which may never end.
    """
    timer = end_within(END_WITHIN, status)
    try:
        yield
    finally:
        timer.cancel()


def end_within(seconds: float, status: int) -> threading.Timer:
    """End the process with this status, unless it has ended by then."""
    timer = threading.Timer(seconds, _end_at_once, [status])
    timer.daemon = True
    timer.start()
    return timer


def _end_at_once(status: int) -> None:
    threads = [t.name for t in threading.enumerate() if not t.daemon and t.name != "MainThread"]
    what = f" (threads: {', '.join(threads)})" if threads else ""
    with suppress(OSError, ValueError):
        sys.stderr.write(f"pycurrent: some code of the pipeline does not end{what}: it is left\n")
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)
