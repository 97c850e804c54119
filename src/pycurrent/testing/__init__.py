"""The test kit for pipelines and plugins."""

from pycurrent.term import evaluate
from pycurrent.testing.build import Build
from pycurrent.testing.clock import VirtualClock
from pycurrent.testing.conformance import check_builder, check_operation
from pycurrent.testing.factory import HarnessFactory
from pycurrent.testing.harness import Harness

__all__ = [
    "Build",
    "Harness",
    "HarnessFactory",
    "VirtualClock",
    "check_builder",
    "check_operation",
    "evaluate",
]
