"""The health of stages."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from msgspec import to_builtins
from pydantic import Field

from pycurrent.service import StageHealth
from pycurrent.web.api.models.model import Model, Text
from pycurrent.web.api.names import HealthName


class FlipModel(Model):
    """A job that failed and one that passed for one key, in either order, without a change."""

    failed: str
    passed: str
    at: datetime = Field(description="When the later one ended.")


class StageHealthModel(Model):
    """Since when and from which change a stage has been failing or well."""

    stage: Text = Field(description="Its path.")
    state: HealthName = Field(
        description="new: it fails, by its last run only; still: by more than one in a row; fixed:"
        " it is well again, by its last run only; flaky: a key of it has failed and passed without"
        " a change; well; unknown: no run of it has ended."
    )
    failing: bool
    since: datetime | None
    job: str | None = Field(description="The first job by which it is so.")
    changes: list[dict[str, Any]] = Field(description="The changes that this job follows from.")
    before: str | None = Field(description="The last job before, by which it was otherwise.")
    longer: bool = Field(description="It may have been so for longer than `since`.")
    flips: list[FlipModel] = Field(
        description="When keys of it failed and passed, the newest first; also if it fails now."
    )

    @classmethod
    def of(cls, health: StageHealth) -> Self:
        return cls.model_validate(to_builtins(health))
