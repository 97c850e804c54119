"""The command line of a script with a pipeline: see `main`."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from pycurrent.cli.end import end_with
from pycurrent.cli.load import NO_EXTRAS, Extras, Pipeline
from pycurrent.cli.pipelines import CHECK, GRAPH, RUN
from pycurrent.errors import WrongKind
from pycurrent.term import Current, shown

if TYPE_CHECKING:
    from cyclopts import App


def run_script(pipeline: Pipeline, extras: Extras = NO_EXTRAS) -> NoReturn:
    """Run the command line, and end the process with its exit status."""
    name = Path(sys.argv[0]).name
    # Until a pipeline has been built: most objects made before that stay.
    gc.disable()
    end_with(name, lambda: _status(pipeline, name, extras))


def _check_pipeline(pipeline: Any) -> None:
    if not callable(pipeline):
        what = "a current" if isinstance(pipeline, Current) else shown(pipeline)
        raise WrongKind(
            f"main takes the function of the pipeline, not {what}: write main(pipeline), without ()"
        )


def _status(pipeline: Pipeline, name: str, extras: Extras) -> int:
    _check_pipeline(pipeline)
    tokens = sys.argv[1:]
    if (status := RUN.on_script(pipeline, name, extras, tokens)) is not None:
        return status
    from pycurrent.cli.library import call

    return call(make_script_app(pipeline, name, extras), tokens)


def make_script_app(pipeline: Pipeline, name: str, extras: Extras = NO_EXTRAS) -> App:
    """Add `run` as the default."""
    from cyclopts import App

    from pycurrent.cli.app import add_readers
    from pycurrent.cli.library import Reader

    app = App(
        name=name,
        default_command=Reader(RUN).of_script(pipeline, name, extras),
        version_flags=(),
        help_format="plaintext",
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    app.command(Reader(GRAPH).of_script(pipeline, name, extras), name="graph", help=GRAPH.help)
    app.command(Reader(CHECK).of_script(pipeline, name, extras), name="check", help=CHECK.help)
    add_readers(app)
    return app
