"""How a command ends: its exit status, and what is said of an error."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from cyclopts import CycloptsError, UnknownCommandError

from pycurrent.cli.output import OutputLostError, complain, give_up, open_streams
from pycurrent.cli.status import SIGNALLED, CommandError, Exit
from pycurrent.cli.stop import END_WITHIN, end_within
from pycurrent.cli.text import one_line
from pycurrent.errors import PycurrentError, UsageError


def end_with(program: str, command: Callable[[], int]) -> NoReturn:
    """Run a command, and end the process with its status.

    A mistake of the user is one line on stderr; what is a bug keeps its traceback.
    """
    open_streams()
    status = status_of(program, command)
    # The interpreter waits for threads after this.
    end_within(END_WITHIN, status)
    sys.exit(status)


def status_of(program: str, command: Callable[[], int]) -> int:
    """The status of a command, with what there is to say of an error on stderr."""
    try:
        status = command()
        sys.stdout.flush()
        return status
    except CycloptsError as error:
        error.verbose = False  # It would tell of our functions.
        said = str(error).rstrip(". ")
        if isinstance(error, UnknownCommandError):
            # Some of them only, and badly joined: --help lists them all.
            said = said.partition(" Available commands: ")[0].rstrip(".")
        return _complain(program, f"{said}; see --help", Exit.USAGE)
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
        # Whoever read it has seen enough. What is left in the buffer must not be written again.
        give_up(sys.stdout)
        return SIGNALLED + signal.SIGPIPE


def _has_folder() -> bool:
    """Whether the current directory is there."""
    try:
        Path.cwd()
    except FileNotFoundError:
        return False
    return True


def _complain(program: str, message: str, status: int) -> int:
    complain(f"{program}: {one_line(message)}")
    return status
