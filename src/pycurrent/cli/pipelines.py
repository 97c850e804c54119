"""The commands on a pipeline."""

from __future__ import annotations

from pycurrent.cli.graph import draw_pipeline
from pycurrent.cli.pipeline_command import PipelineCommand
from pycurrent.cli.run import run_pipeline
from pycurrent.cli.run_options import GraphOptions, RunOptions

RUN = PipelineCommand("run", "Keep a pipeline up to date until stopped.", RunOptions, run_pipeline)
GRAPH = PipelineCommand(
    "graph",
    "Draw a pipeline, without running it, as Graphviz text.",
    GraphOptions,
    draw_pipeline,
)
