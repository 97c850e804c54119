"""The entry point of the command `pycurrent`: imports only the modules that a command needs."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from typing import NoReturn

from pycurrent.cli.end import end_with


def run(tokens: Sequence[str] | None = None) -> NoReturn:
    """Run the command line, and end the process with its exit status."""
    given = list(sys.argv[1:] if tokens is None else tokens)
    # Until a pipeline has been built: most objects made before that stay.
    gc.disable()
    end_with("pycurrent", lambda: _status(given))


def _status(given: list[str]) -> int:
    if given[:1] == ["run"]:
        from pycurrent.cli.pipelines import RUN

        return RUN.on_file(given[1:])
    from pycurrent.cli.app import make_app
    from pycurrent.cli.library import call

    return call(make_app(), given)
