"""Jobs, active and recorded, and the results of commands on them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Self

from pydantic import Field

from pycurrent.service import (
    Done,
    Estimate,
    HistoryEntry,
    JobDetail,
    Rebuild,
    Rebuilding,
    RebuiltOnceNeeded,
    Refused,
    Would,
)
from pycurrent.web.api.models.model import Model, Seconds, Text
from pycurrent.web.api.names import (
    ActionName,
    CauseName,
    FailureKindName,
    JobEndName,
    JobStateName,
    LevelName,
)


class ForConfirmationModel(Model):
    """The job waits for confirmation."""

    reason: Literal["confirmation"] = "confirmation"
    level: LevelName


class ForResumeModel(Model):
    """The job waits until a pause ends."""

    reason: Literal["pause"] = "pause"
    what: Text = Field(description="The paused thing: `level average`, `pool builds`, `path a/b`.")
    by: Text | None = Field(description="The user who has paused it, if that is known.")
    why: Text | None
    until: datetime | None = Field(description="When the pause ends by itself; null: never.")
    words: Text = Field(description="The same for people.")


class InQueueModel(Model):
    """The job is queued for a pool."""

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
    wait: ForConfirmationModel | ForResumeModel | InQueueModel | None
    level: LevelName | None
    pool: Text | None = Field(description="Of which it holds a resource, or waits for one.")
    cancelled: Text | None = Field(description="Why it was cancelled, if it was.")
    labels: dict[str, Text] = Field(description="The labels of the stages that want it.")
    runs_at: Text | None = Field(
        description="The place that its commands run at; null for the engine's machine."
    )


class EntryModel(Model):
    """A job that was recorded."""

    id: str = Field(validation_alias="job_id")
    op: Text
    key: Text
    build: int = Field(description="0, 1, 2 ... for each operation and key.")
    level: str | None
    end: JobEndName | None = Field(description="How it ended; null until it has.")
    failure: Text | None
    kind: FailureKindName | None = Field(description="The kind of its failure.")
    cause: CauseName | None = Field(
        validation_alias="cause_name", description="The name of the cause for which it was run."
    )
    because: Text | None = Field(description="Why it was run, as the end of a sentence.")
    created: datetime
    started: datetime | None
    finished: datetime | None
    took: Seconds | None = Field(description="Seconds that its work took.")
    rebuild: bool = Field(description="Somebody has asked for it to be made again.")
    paths: list[Text] = Field(
        description="The paths of the stages that have used it, the newest use first; in a list,"
        " those of the newest 20."
    )
    labels: dict[str, Text] = Field(description="The labels of these stages.")
    pool: Text | None = Field(
        description="The pool whose resource it had, if it has run commands or had a place, and has"
        " ended."
    )
    ran_at: Text | None = Field(
        description="The place that its commands ran at, once it has ended; null for the engine's"
        " machine."
    )
    cpu: Seconds | None = Field(
        description="Seconds of all processors together that its commands have used."
    )
    memory: int | None = Field(
        description="The bytes that the largest process of its commands had."
    )


class HistoryPageModel(Model):
    """Jobs that have ended, the last first."""

    entries: list[EntryModel]
    next: str | None = Field(description="The value of `before` for the next page.")
    complete: bool = Field(
        validation_alias="is_complete",
        description="False: the search has stopped before the page was full, as it took long. The"
        " next page goes on from there.",
    )


class RemovedPartModel(Model):
    """A part of a job that is gone, while its record stays."""

    part: Literal["log", "files", "tests"]
    at: datetime
    rule: Text = Field(description="The rule of retention that has let it go.")


class EstimateModel(Model):
    """The middle of earlier good jobs; null stands for what none of them tells."""

    took: Seconds | None = Field(description="Seconds that its work takes.")
    cpu: Seconds | None = Field(
        description="Seconds of all processors together that its commands use."
    )
    memory: int | None = Field(description="The bytes of the largest process of its commands.")


class JobDetailModel(Model):
    """All that is known of a job."""

    id: str
    description: Text
    entry: EntryModel
    active: JobModel | None = Field(description="Its present state, until it has ended.")
    stages: list[Text] = Field(description="The paths of the stages that it is for.")
    actions: list[ActionName] = Field(description="The actions that are possible now.")
    log_size: int | None = Field(description="In bytes; null if the log was removed.")
    removed: list[RemovedPartModel] = Field(
        description="Its parts that retention has removed; this record of it stays."
    )
    same_work: list[EntryModel] = Field(
        description="Jobs of the same operation and key that have ended, the newest first."
    )
    estimate: EstimateModel | None = Field(
        description="By the same work before, or else by other jobs of its stage."
    )

    @classmethod
    def of(
        cls,
        detail: JobDetail,
        log_size: int | None,
        same_work: tuple[HistoryEntry, ...],
        estimate: Estimate | None,
    ) -> Self:
        return cls(
            id=detail.entry.job_id,
            description=detail.description,
            entry=EntryModel.model_validate(detail.entry),
            active=None if detail.active is None else JobModel.model_validate(detail.active),
            stages=list(detail.stages),
            actions=sorted(detail.actions, key=lambda action: action.value),
            log_size=log_size,
            removed=[
                RemovedPartModel(part=one.part.value, at=one.at, rule=one.rule)
                for one in detail.removed
            ],
            same_work=[EntryModel.model_validate(entry) for entry in same_work],
            estimate=None if estimate is None else EstimateModel.model_validate(estimate),
        )


class OutcomeModel(Model):
    """The result of a command on one job."""

    job: str = Field(description="The job that it was about.")
    outcome: Literal["done", "once-needed", "would-be-done", "refused"] = Field(
        description="`once-needed`: it is made again as soon as somebody needs it;"
        " `would-be-done`: the question was only which jobs."
    )
    new_job: str | None = Field(default=None, description="The job that does the work again.")
    why: Text | None = Field(default=None, description="Why it was refused.")
    description: Text | None = Field(
        default=None, description="The job in words, where the question was only which jobs."
    )

    @classmethod
    def of_act(cls, job_id: str, outcome: Done | Would | Refused) -> Self:
        match outcome:
            case Done():
                return cls(job=job_id, outcome="done")
            case Would(description):
                return cls(job=job_id, outcome="would-be-done", description=description)
            case Refused(why):
                return cls(job=job_id, outcome="refused", why=why)

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
    """The results of a command on many jobs."""

    outcomes: list[OutcomeModel]
    complete: bool = Field(description="False: more jobs match, and nothing was done about them.")
