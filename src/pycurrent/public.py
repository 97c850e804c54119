"""The public names: `pycurrent` gives them, and imports them when one is first used."""

from typing import TYPE_CHECKING

from pycurrent.cache import Builder, Operation, Publisher, Retry, builder, publisher
from pycurrent.cli.main import main
from pycurrent.deferred import deferred
from pycurrent.engine import Config, Job, Level, Limits, LogRule
from pycurrent.errors import PycurrentError, UsageError
from pycurrent.facade import Engine
from pycurrent.term import (
    Active,
    Activity,
    Current,
    Failed,
    Failure,
    FailureKind,
    Metadata,
    Ok,
    Output,
    Primitive,
    Stats,
    Trusted,
    Untrusted,
    active,
    all,
    bind,
    collapse_list,
    component,
    constant,
    context,
    fail,
    from_output,
    labels,
    map,
    metadata,
    option_seq,
    pair,
    seq,
    untrusted,
)

if TYPE_CHECKING:
    from pycurrent.cache import Fired, Input, Schedule, Trigger
    from pycurrent.engine import (
        Cache,
        CommandFailed,
        FileMonitor,
        JobPath,
        Monitor,
        Pool,
        Secret,
    )
    from pycurrent.files import File, Tree
    from pycurrent.store.keep import keep
    from pycurrent.term import Var, inputs
    from pycurrent.web import Site
else:
    __getattr__ = deferred(
        __name__,
        {
            "pycurrent.cache": ["Fired", "Input", "Schedule", "Trigger"],
            "pycurrent.engine": [
                "Cache",
                "CommandFailed",
                "FileMonitor",
                "JobPath",
                "Monitor",
                "Pool",
                "Secret",
            ],
            "pycurrent.files": ["File", "Tree"],
            "pycurrent.store.keep": ["keep"],
            "pycurrent.term": ["Var", "inputs"],
            "pycurrent.web": ["Site"],
        },
    )

__all__ = [
    "Active",
    "Activity",
    "Builder",
    "Cache",
    "CommandFailed",
    "Config",
    "Current",
    "Engine",
    "Failed",
    "Failure",
    "FailureKind",
    "File",
    "FileMonitor",
    "Fired",
    "Input",
    "Job",
    "JobPath",
    "Level",
    "Limits",
    "LogRule",
    "Metadata",
    "Monitor",
    "Ok",
    "Operation",
    "Output",
    "Pool",
    "Primitive",
    "Publisher",
    "PycurrentError",
    "Retry",
    "Schedule",
    "Secret",
    "Site",
    "Stats",
    "Tree",
    "Trigger",
    "Trusted",
    "Untrusted",
    "UsageError",
    "Var",
    "active",
    "all",
    "bind",
    "builder",
    "collapse_list",
    "component",
    "constant",
    "context",
    "fail",
    "from_output",
    "inputs",
    "keep",
    "labels",
    "main",
    "map",
    "metadata",
    "option_seq",
    "pair",
    "publisher",
    "seq",
    "untrusted",
]
