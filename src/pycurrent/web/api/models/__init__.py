"""The answers of the API: the values of the service, as JSON.

Each model is read from the service's dataclass, from attributes of the same names: what is said
here is only what differs.
"""

from pycurrent.web.api.models.confirmation import ConfirmationModel
from pycurrent.web.api.models.health import FlipModel, StageHealthModel
from pycurrent.web.api.models.jobs import (
    HistoryPageModel,
    JobDetailModel,
    JobModel,
    OutcomeModel,
    OutcomesModel,
)
from pycurrent.web.api.models.logs import LogMatchesModel, LogWindowModel
from pycurrent.web.api.models.model import (
    Condition,
    Instant,
    Model,
    Text,
    UsedByModel,
    Whole,
)
from pycurrent.web.api.models.pipeline import OverviewModel
from pycurrent.web.api.models.rules import AppliedModel, RuleModel, RulesModel, TrialModel
from pycurrent.web.api.models.snapshot import NodeStateModel, SnapshotModel

__all__ = [
    "AppliedModel",
    "Condition",
    "ConfirmationModel",
    "FlipModel",
    "HistoryPageModel",
    "Instant",
    "JobDetailModel",
    "JobModel",
    "LogMatchesModel",
    "LogWindowModel",
    "Model",
    "NodeStateModel",
    "OutcomeModel",
    "OutcomesModel",
    "OverviewModel",
    "RuleModel",
    "RulesModel",
    "SnapshotModel",
    "StageHealthModel",
    "Text",
    "TrialModel",
    "UsedByModel",
    "Whole",
]
