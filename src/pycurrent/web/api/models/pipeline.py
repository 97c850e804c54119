"""The pipeline as a whole."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from pydantic import Field

from pycurrent.term import Failed, status_of_output
from pycurrent.view import Overview
from pycurrent.web.api.models.jobs import JobModel
from pycurrent.web.api.models.model import Model, Text
from pycurrent.web.api.names import ActivityName, EffectName, LevelName, StateName


class StatsModel(Model):
    """How many stages are in each state."""

    ok: int
    waiting_for_confirmation: int
    ready: int
    running: int
    failed: int
    blocked: int
    muted: int = Field(description="Stages that have failed, and whose failures people have muted.")


class ResultModel(Model):
    """The output of the pipeline."""

    state: StateName
    failure: Text | None


class StageModel(Model):
    """A component or a named bind."""

    path: Text = Field(description="Its name, the same from run to run: web/test.")
    label: Text = Field(description="The text of its box, with the values that are known.")
    state: StateName
    update: ActivityName | None = Field(
        description="The activity that will replace the result that is still reported."
    )
    since: datetime
    job_id: str | None
    description: Text | None
    job: JobModel | None
    failure: Text | None
    others: int = Field(
        description="How many stages have failed by the same job, and are not listed."
    )
    note: Text | None = Field(
        description="A note for people: by whom its failure is muted, say, or why it waits."
    )


class ProblemModel(Model):
    """Something that is wrong with the engine itself, whatever the pipeline does."""

    message: Text
    effect: EffectName


class OverviewModel(Model):
    """The pipeline as a whole."""

    result: ResultModel
    counts: StatsModel
    of_interest: StatsModel = Field(
        description="How many stages are neither ok nor blocked, or are being updated."
    )
    stages: list[StageModel] = Field(description="The most interesting stages.")
    jobs: int = Field(description="How many jobs have not ended.")
    confirm: LevelName | None
    problems: list[ProblemModel] = Field(
        description="Problems of the engine itself; while one is held it begins nothing new."
    )
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
                    path=stage.path,
                    label=stage.label,
                    state=stage.state,
                    update=stage.update,
                    since=stage.since,
                    job_id=stage.job_id,
                    description=stage.description,
                    job=None if stage.job is None else JobModel.model_validate(stage.job),
                    failure=_message(stage.failure),
                    others=stage.others,
                    note=stage.note,
                )
                for stage in overview.stages
            ],
            jobs=overview.jobs,
            confirm=overview.confirm,
            problems=[ProblemModel.model_validate(problem) for problem in overview.problems],
            last_event=last_event,
        )


def _message(failure: Failed | None) -> str | None:
    return None if failure is None else failure.message
