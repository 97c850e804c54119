"""What the API sends: the values of the service, as JSON.

Each model is read from the service's dataclass, from attributes of the same names: what is said
here is only what differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from pycurrent.service import (
    Confirmation,
    HistoryEntry,
    JobDetail,
    Overview,
    Picture,
    Rebuild,
    Rebuilding,
    RebuiltOnceNeeded,
    Refused,
)
from pycurrent.term import Failed
from pycurrent.term.status import status_of_output
from pycurrent.web.api.names import (
    ActionName,
    ActivityName,
    EdgeKindName,
    EndingName,
    GroupKindName,
    JobStateName,
    LevelName,
    NodeKindName,
    StateName,
)
from pycurrent.web.sendable import sendable


def _sendable(value: Any) -> Any:
    return sendable(value) if isinstance(value, str) else value


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole: TypeAlias = Annotated[int, BeforeValidator(_whole)]
"""An integer as JSON has it: 5.0 is one, where nothing else is taken for another type."""
Text: TypeAlias = Annotated[str, BeforeValidator(_sendable)]
Seconds: TypeAlias = timedelta


class Model(BaseModel):
    """Is read from the attributes of a dataclass."""

    model_config = ConfigDict(
        from_attributes=True,
        frozen=True,
        ser_json_timedelta="float",
        json_schema_serialization_defaults_required=True,
    )


class StatsModel(Model):
    """How many stages are in each state."""

    ok: int
    waiting_for_confirmation: int
    ready: int
    running: int
    failed: int
    blocked: int


# Jobs


class ForConfirmationModel(Model):
    """It waits for a person to confirm it."""

    reason: Literal["confirmation"] = "confirmation"
    level: LevelName


class InQueueModel(Model):
    """It waits for a resource of a pool."""

    reason: Literal["queue"] = "queue"
    pool: Text
    place: int | None = Field(description="1 for the next one; null where it is not known.")


class JobModel(Model):
    """A job that has not ended."""

    id: str
    op: Text
    description: Text
    state: JobStateName
    created: datetime
    started: datetime | None = Field(description="When its work began.")
    wait: ForConfirmationModel | InQueueModel | None
    level: LevelName | None
    pool: Text | None = Field(description="Of which it holds a resource, or waits for one.")
    cancelled: Text | None = Field(description="Why it was cancelled, if it was.")


class EntryModel(Model):
    """A job that was recorded."""

    id: str = Field(validation_alias="job_id")
    op: Text
    key: Text
    build: int = Field(description="0, 1, 2 ... for each operation and key.")
    level: str | None
    ending: EndingName
    failure: Text | None
    created: datetime
    started: datetime | None
    ended: datetime | None
    took: Seconds | None = Field(description="Seconds that its work took.")
    rebuild: bool = Field(description="Somebody has asked for it to be made again.")


class HistoryPageModel(Model):
    """Jobs, the newest first."""

    entries: list[EntryModel]
    next: str | None = Field(description="What to give as `before` for the next page.")


class JobDetailModel(Model):
    """All that is known of a job."""

    id: str
    description: Text
    entry: EntryModel
    active: JobModel | None = Field(description="What it is at, until it has ended.")
    stages: list[Text] = Field(description="The labels of the stages that it is for.")
    actions: list[ActionName] = Field(description="What can be done about it now.")
    log_size: int | None = Field(description="In bytes; null if the log was removed.")
    same_work: list[EntryModel] = Field(
        description="Jobs of the same operation and key that have ended, the newest first."
    )

    @classmethod
    def of(
        cls, detail: JobDetail, log_size: int | None, same_work: tuple[HistoryEntry, ...]
    ) -> Self:
        return cls(
            id=detail.entry.job_id,
            description=detail.description,
            entry=EntryModel.model_validate(detail.entry),
            active=None if detail.active is None else JobModel.model_validate(detail.active),
            stages=list(detail.stages),
            actions=sorted(detail.actions, key=lambda action: action.value),
            log_size=log_size,
            same_work=[EntryModel.model_validate(entry) for entry in same_work],
        )


# What was done


class OutcomeModel(Model):
    """What has become of a command on one job."""

    job: str = Field(description="The job that it was about.")
    outcome: Literal["done", "once-needed", "refused"] = Field(
        description="`once-needed`: it is made again as soon as somebody needs it."
    )
    new_job: str | None = Field(default=None, description="The job that does the work again.")
    why: Text | None = Field(default=None, description="Why it was refused.")

    @classmethod
    def of_rebuild(cls, job_id: str, outcome: Rebuild) -> Self:
        match outcome:
            case Rebuilding(new_job):
                return cls(job=job_id, outcome="done", new_job=new_job)
            case RebuiltOnceNeeded():
                return cls(job=job_id, outcome="once-needed")
            case Refused(why):
                return cls(job=job_id, outcome="refused", why=why)


class OutcomesModel(Model):
    """What has become of a command on many jobs."""

    outcomes: list[OutcomeModel]
    complete: bool = Field(description="False: more jobs match, and nothing was done about them.")


# The pipeline


class ResultModel(Model):
    """What the pipeline amounts to."""

    state: StateName
    failure: Text | None


class StageModel(Model):
    """A component or a named bind."""

    label: Text
    state: StateName
    update: ActivityName | None = Field(
        description="What is being done to replace the result that is still reported."
    )
    since: datetime
    job_id: str | None
    description: Text | None
    job: JobModel | None
    failure: Text | None


class OverviewModel(Model):
    """The pipeline as a whole."""

    result: ResultModel
    counts: StatsModel
    of_interest: StatsModel = Field(
        description="How many stages are neither ok nor blocked, or are being updated."
    )
    stages: list[StageModel] = Field(description="Those of most interest.")
    jobs: int = Field(description="How many jobs have not ended.")
    confirm: LevelName | None
    last_event: str

    @classmethod
    def of(cls, overview: Overview, last_event: str) -> Self:
        status = status_of_output(overview.result)
        return cls(
            result=ResultModel(state=status.state, failure=status.failure),
            counts=StatsModel.model_validate(overview.counts),
            of_interest=StatsModel.model_validate(overview.of_interest),
            stages=[
                StageModel(
                    label=stage.label,
                    state=stage.state,
                    update=stage.update,
                    since=stage.since,
                    job_id=stage.job_id,
                    description=stage.description,
                    job=None if stage.job is None else JobModel.model_validate(stage.job),
                    failure=_message(stage.failure),
                )
                for stage in overview.stages
            ],
            jobs=overview.jobs,
            confirm=overview.confirm,
            last_event=last_event,
        )


def _message(failure: Failed | None) -> str | None:
    return None if failure is None else failure.message


class FoldModel(Model):
    """What to unfold it by: `?unfold=key:value`."""

    key: Text
    value: Text


class NodeModel(Model):
    """A box of the diagram. What does not apply is left out."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    id: str
    kind: NodeKindName
    label: Text
    state: StateName | None = Field(default=None, description="A junction has none.")
    group: str | None = None
    update: ActivityName | None = None
    job_id: str | None = None
    failure: Text | None = None
    fold: FoldModel | None = None


class EdgeModel(Model):
    """The target waits for the source."""

    source: str
    target: str
    kind: EdgeKindName


class GroupModel(Model):
    """A box around nodes and other groups."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    id: str
    kind: GroupKindName
    label: Text
    parent: str | None = None


class PictureModel(Model):
    """The diagram."""

    version: int = Field(description="Changes with the structure.")
    last_event: str = Field(description="What to give as `after` to the events.")
    stats: StatsModel
    nodes: list[NodeModel] = Field(description="Each after those that it waits for.")
    edges: list[EdgeModel]
    groups: list[GroupModel] = Field(description="Each after those around it.")

    @classmethod
    def of(cls, picture: Picture) -> Self:
        graph = picture.graph
        return cls.model_validate(
            {
                "version": picture.version,
                "last_event": str(picture.last_event),
                "stats": picture.stats,
                "nodes": graph.nodes,
                "edges": graph.edges,
                "groups": graph.groups,
            }
        )


# Events


class NodeStateModel(Model):
    """How a box of the diagram is now."""

    state: StateName
    update: ActivityName | None
    job_id: str | None
    failure: Text | None


# Logs


class LogLineModel(Model):
    """A line of a log."""

    text: Text
    cut: int = Field(description="How many bytes of it are left out.")


class LogWindowModel(Model):
    """Some lines of a log."""

    first: int = Field(description="The number of the first one; the log's first is 0.")
    lines: list[LogLineModel]
    style: str = Field(description="Control sequences: the colours that the first one begins in.")
    total: int = Field(description="How many lines there are.")
    complete: int = Field(description="How many of them have ended, and will not change.")
    size: int = Field(description="Of the log, in bytes.")


class LogMatchModel(Model):
    """A line in which it was found."""

    number: int
    line: LogLineModel


class LogMatchesModel(Model):
    """What was found."""

    matches: list[LogMatchModel]
    next: int | None = Field(description="The line to go on from; null at the log's end.")


# Log rules


class RuleModel(Model):
    """Where `pattern` matches, `report` may say what is wrong."""

    pattern: str = Field(max_length=2000, description="A regular expression of RE2.")
    report: str = Field(
        max_length=2000, description="What it says, with \\1 for the pattern's first group."
    )
    score: Whole = Field(
        ge=-999_999_999, le=999_999_999, description="Of the rules that match, the highest counts."
    )


class RulesModel(Model):
    """All rules, the best score first."""

    rules: list[RuleModel]


class TriedOnModel(Model):
    """What a rule says of the log of a job that failed."""

    entry: EntryModel
    report: Text | None = Field(description="null: it does not match.")
    wins: bool = Field(description="Whether that would be the failure's message.")


class TrialModel(Model):
    """A rule, tried on recent failures."""

    tried: list[TriedOnModel]
    complete: bool = Field(description="Whether all logs have been looked at.")


# Confirmation


class ChoiceModel(Model):
    """A level that could be set, and how many jobs would start then."""

    level: LevelName | None
    starts: int


class ConfirmationModel(Model):
    """What needs confirmation."""

    level: LevelName | None = Field(
        description="Jobs at this level, or above, wait; null: none do."
    )
    waiting: list[JobModel]
    choices: list[ChoiceModel]

    @classmethod
    def of(cls, confirmation: Confirmation, levels: Mapping[Any, int]) -> Self:
        return cls(
            level=confirmation.level,
            waiting=[JobModel.model_validate(job) for job in confirmation.waiting],
            choices=[ChoiceModel(level=level, starts=n) for level, n in levels.items()],
        )
