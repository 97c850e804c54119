"""Terms: outputs, currents and what can be made of them, and the diagram."""

from pycurrent.term.component import component
from pycurrent.term.context import context
from pycurrent.term.current import (
    Current,
    active,
    all,
    bind,
    collapse_list,
    constant,
    fail,
    from_output,
    map,
    metadata,
    option_seq,
    pair,
    seq,
)
from pycurrent.term.live import Live, evaluate
from pycurrent.term.output import Active, Activity, Failed, Failure, Ok, Output, failed_by
from pycurrent.term.primitive import Fixed, Metadata, NoEngine, Primitive, Runtime, Subscription
from pycurrent.term.state import State, Stats, state_of
from pycurrent.term.var import Var

__all__ = [
    "Active",
    "Activity",
    "Current",
    "Failed",
    "Failure",
    "Fixed",
    "Live",
    "Metadata",
    "NoEngine",
    "Ok",
    "Output",
    "Primitive",
    "Runtime",
    "State",
    "Stats",
    "Subscription",
    "Var",
    "active",
    "all",
    "bind",
    "collapse_list",
    "component",
    "constant",
    "context",
    "evaluate",
    "fail",
    "failed_by",
    "from_output",
    "map",
    "metadata",
    "option_seq",
    "pair",
    "seq",
    "state_of",
]
