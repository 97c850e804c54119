"""The commands on a pipeline."""

from __future__ import annotations

from pycurrent.cli.pipeline_command import Call, PipelineCommand
from pycurrent.cli.run import run_pipeline
from pycurrent.cli.run_options import CheckOptions, GraphOptions, RunOptions
from pycurrent.errors import UsageError


def _draw(call: Call, options: GraphOptions) -> int:
    from pycurrent.cli.graph import draw_pipeline  # no run needs it

    return draw_pipeline(call, options)


RUN = PipelineCommand("run", "Keep a pipeline up to date until stopped.", RunOptions, run_pipeline)
GRAPH = PipelineCommand(
    "graph",
    "Draw a pipeline, without running it, as Graphviz text.",
    GraphOptions,
    _draw,
)


def _check(call: Call, options: CheckOptions) -> int:
    from pycurrent.cli.check import check_pipeline  # no run needs it

    return check_pipeline(call)


def _told(error: UsageError) -> int:
    from pycurrent.cli.check import tell_broken

    return tell_broken(error)


CHECK = PipelineCommand(
    "check",
    "Look for mistakes in a pipeline, without running it; exit with 1 if there are any.",
    CheckOptions,
    _check,
    _told,
)
