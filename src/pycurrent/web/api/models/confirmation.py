"""The confirmation level."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field

from pycurrent.service import Confirmation
from pycurrent.web.api.models.jobs import JobModel
from pycurrent.web.api.models.model import Model
from pycurrent.web.api.names import LevelName


class ChoiceModel(Model):
    """A level that could be set, and how many jobs would start then."""

    level: LevelName | None
    starts: int


class ConfirmationModel(Model):
    """The confirmation level, and the jobs that wait."""

    level: LevelName | None = Field(
        description="Jobs at this level, or above, wait; null: none do."
    )
    waiting: list[JobModel] = Field(description="The jobs that have waited longest come first.")
    total: int = Field(description="How many jobs wait.")
    choices: list[ChoiceModel]

    @classmethod
    def of(cls, confirmation: Confirmation, levels: Mapping[Any, int]) -> Self:
        return cls(
            level=confirmation.level,
            waiting=[JobModel.model_validate(job) for job in confirmation.waiting],
            total=confirmation.total,
            choices=[ChoiceModel(level=level, starts=n) for level, n in levels.items()],
        )
