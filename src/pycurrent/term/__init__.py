"""Terms: outputs, currents and what can be made of them. Their diagram is in `diagram.py`."""

from typing import TYPE_CHECKING

from pycurrent.deferred import deferred
from pycurrent.term.account import Stage, held_of
from pycurrent.term.component import component, primitive_of
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
from pycurrent.term.doubts import Doubts
from pycurrent.term.evaluate import (
    OfflineRuntime,
    build_pipeline,
    docstring_of,
    evaluate,
    is_failure,
)
from pycurrent.term.failed_stages import FailedStage, FailedStages, failed_stages
from pycurrent.term.fitting import known_as
from pycurrent.term.given import (
    Remedy,
    Stand,
    called,
    check_text,
    place_of,
    shown,
    unfit,
    wrong_current,
)
from pycurrent.term.labels import labels
from pycurrent.term.output import (
    UNEXPLAINED,
    Active,
    Activity,
    Failed,
    Failure,
    FailureKind,
    Hold,
    Muted,
    MuteMark,
    Ok,
    Output,
    UsageFailure,
    describe_exception,
    failed_by,
    located,
    relevant_traceback,
    text_of,
    unmuted,
)
from pycurrent.term.primitive import (
    NO_LABELS,
    Fixed,
    Metadata,
    NoEngine,
    Primitive,
    Reading,
    Runtime,
    Services,
    StageRef,
    Subscription,
)
from pycurrent.term.shape import Term
from pycurrent.term.stage_names import form_of, items_around, untold_path, untold_paths
from pycurrent.term.state import (
    BY_CONCERN,
    State,
    Stats,
    Status,
    state_of,
    state_of_activity,
    status_of_output,
)
from pycurrent.term.term_graph import TermGraph
from pycurrent.term.trust import TRUSTED, Trust, Trusted, Untrusted, is_commit
from pycurrent.term.untrusted import untrusted
from pycurrent.term.unused import noting, told

if TYPE_CHECKING:
    from pycurrent.term.near_names import meant, near
    from pycurrent.term.on_currents import (
        Arg as Arg,
    )
    from pycurrent.term.on_currents import (
        Named as Named,
    )
    from pycurrent.term.on_currents import (
        OnCurrents0 as OnCurrents0,
    )
    from pycurrent.term.on_currents import (
        OnCurrents1 as OnCurrents1,
    )
    from pycurrent.term.on_currents import (
        OnCurrents2 as OnCurrents2,
    )
    from pycurrent.term.on_currents import (
        OnCurrents3 as OnCurrents3,
    )
    from pycurrent.term.on_currents import (
        OnCurrents4 as OnCurrents4,
    )
    from pycurrent.term.on_currents import (
        OnCurrents5 as OnCurrents5,
    )
    from pycurrent.term.several import Several, inputs
    from pycurrent.term.var import Var
else:
    __getattr__ = deferred(
        __name__,
        {
            "pycurrent.term.near_names": ["meant", "near"],
            "pycurrent.term.several": ["Several", "inputs"],
            "pycurrent.term.var": ["Var"],
        },
    )

__all__ = [
    "BY_CONCERN",
    "NO_LABELS",
    "TRUSTED",
    "UNEXPLAINED",
    "Active",
    "Activity",
    "Current",
    "Doubts",
    "Failed",
    "FailedStage",
    "FailedStages",
    "Failure",
    "FailureKind",
    "Fixed",
    "Hold",
    "Metadata",
    "MuteMark",
    "Muted",
    "NoEngine",
    "OfflineRuntime",
    "Ok",
    "Output",
    "Primitive",
    "Reading",
    "Remedy",
    "Runtime",
    "Services",
    "Several",
    "Stage",
    "StageRef",
    "Stand",
    "State",
    "Stats",
    "Status",
    "Subscription",
    "Term",
    "TermGraph",
    "Trust",
    "Trusted",
    "Untrusted",
    "UsageFailure",
    "Var",
    "active",
    "all",
    "bind",
    "build_pipeline",
    "called",
    "check_text",
    "collapse_list",
    "component",
    "constant",
    "context",
    "describe_exception",
    "docstring_of",
    "evaluate",
    "fail",
    "failed_by",
    "failed_stages",
    "form_of",
    "from_output",
    "held_of",
    "inputs",
    "is_commit",
    "is_failure",
    "items_around",
    "known_as",
    "labels",
    "located",
    "map",
    "meant",
    "metadata",
    "near",
    "noting",
    "option_seq",
    "pair",
    "place_of",
    "primitive_of",
    "relevant_traceback",
    "seq",
    "shown",
    "state_of",
    "state_of_activity",
    "status_of_output",
    "text_of",
    "told",
    "unfit",
    "unmuted",
    "untold_path",
    "untold_paths",
    "untrusted",
    "wrong_current",
]
