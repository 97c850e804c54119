"""The command line of a script that has a pipeline: see `main`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

from cyclopts import App

from pycurrent.cli.app import add_readers, call
from pycurrent.cli.end import end_with
from pycurrent.cli.load import Pipeline, SiteOf
from pycurrent.cli.pipelines import GRAPH, RUN


def run_script(pipeline: Pipeline, site: SiteOf | None = None) -> NoReturn:
    """Do what the command line says, and end the process with its exit status."""
    name = Path(sys.argv[0]).name
    end_with(name, lambda: call(make_script_app(pipeline, name, site), sys.argv[1:]))


def make_script_app(pipeline: Pipeline, name: str, site: SiteOf | None = None) -> App:
    """`run` is what it does by default."""
    app = App(
        name=name,
        default_command=RUN.of_script(pipeline, name, site),
        version_flags=(),
        help_format="plaintext",
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    app.command(GRAPH.of_script(pipeline, name), name="graph", help=GRAPH.help)
    add_readers(app)
    return app
