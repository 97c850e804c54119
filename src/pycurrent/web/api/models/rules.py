"""Log rules, and their trial on failed jobs."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field

from pycurrent.term import FailureKind
from pycurrent.web.api.models.jobs import EntryModel
from pycurrent.web.api.models.model import Model, Text, Whole
from pycurrent.web.api.names import ByName

RuleKindName: TypeAlias = Annotated[FailureKind, ByName(without=(FailureKind.CANCELLED,))]


class RuleModel(Model):
    """Where `pattern` matches, `report` may say what is wrong."""

    pattern: str = Field(max_length=2000, description="A regular expression of RE2.")
    report: str = Field(
        max_length=2000, description="The message, with \\1 for the pattern's first group."
    )
    score: Whole = Field(
        ge=-999_999_999, le=999_999_999, description="Of the rules that match, the highest counts."
    )
    kind: RuleKindName | None = Field(
        default=None, description="The kind of the failures that it explains."
    )


class RulesModel(Model):
    """All rules, the best score first."""

    rules: list[RuleModel]


class TriedOnModel(Model):
    """The outcome of a rule on the log of one failed job."""

    entry: EntryModel
    report: Text | None = Field(description="null: it does not match.")
    wins: bool = Field(description="Whether that would be the failure's message.")


class AppliedModel(Model):
    """The rules, applied to recent failures."""

    looked_at: int
    changed: int = Field(description="How many are recorded as of another kind now.")
    reworded: int = Field(description="How many have another message now: the report of a rule.")
    complete: bool = Field(description="Whether all logs have been looked at.")


class TrialModel(Model):
    """A rule, tried on recent failures."""

    tried: list[TriedOnModel]
    complete: bool = Field(description="Whether all logs have been looked at.")
