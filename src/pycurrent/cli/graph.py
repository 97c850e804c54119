"""`pycurrent graph`: draws a pipeline without running it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pycurrent.cli.pipeline_command import Call
from pycurrent.cli.run_options import GraphOptions
from pycurrent.errors import UsageError
from pycurrent.term import told

if TYPE_CHECKING:
    from pycurrent.term.diagram import Unfold


def draw_pipeline(call: Call, options: GraphOptions) -> int:
    """Write its diagram to stdout."""
    # Only here, because `run` imports this too.
    from pycurrent.term.diagram import dot_of, graph_of

    graph = graph_of(call.term, None, unfold=_unfold(options.unfold), job_link=lambda job_id: None)
    sys.stdout.write(dot_of(graph))
    if unused := told(call.unused):
        sys.stderr.write(f"{unused}\n")
    return 0


def _unfold(folds: Iterable[str]) -> Unfold:
    opened: dict[str, list[str]] = {}
    for fold in folds:
        if fold == "all":
            return "all"
        key, equals, value = fold.partition("=")
        if not equals:
            raise UsageError(
                f"--unfold takes KEY=VALUE, as the folds are named, or all; not {fold!r}"
            )
        opened.setdefault(key, []).append(value)
    return opened
