"""Mutes: failures that people know of, and that do not fail what is above."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from fastapi import Request
from pydantic import AwareDatetime, ConfigDict, Field

from pycurrent.engine import Mute, MuteSubject
from pycurrent.errors import UsageError
from pycurrent.service import Done, Refused, Service, mute_stages
from pycurrent.web.api.failures import FailureFilterModel
from pycurrent.web.api.many import Act
from pycurrent.web.api.models import Model, Text
from pycurrent.web.api.routing import FOR_BUILDERS, api_router
from pycurrent.web.context import AskerOf, ServiceOf
from pycurrent.web.problems import may_answer, problem
from pycurrent.web.reasons import ReasonText, reason_for

router = api_router("mutes")

_MOST = 300
"""So many stages that fail are looked at, at most."""


class MuteModel(Model):
    """A mute that is in force."""

    what: Text = Field(description="In words: `path web/test`, `fingerprint 3f2a1c0d9e8b`.")
    kind: str = Field(description="`path` or `fingerprint`.")
    name: Text = Field(description="The path of the stage, or the fingerprint.")
    by: Text | None = Field(description="The user who has muted it, if that is known.")
    owner: Text = Field(description="The one who is to fix it.")
    at: datetime = Field(description="When it was muted.")
    reason: Text
    until: datetime = Field(description="When the mute ends by itself, at the latest.")
    passes: int = Field(
        description="How often it has passed in a row since then: the mute ends after 20."
    )

    @classmethod
    def of(cls, mute: Mute) -> MuteModel:
        return cls(
            what=str(mute.what),
            kind=mute.what.kind.value,
            name=mute.what.name,
            by=mute.by,
            owner=mute.owner,
            at=mute.at,
            reason=mute.reason,
            until=mute.until,
            passes=mute.passes,
        )


class MutesModel(Model):
    """The mutes that are in force, sorted by what is muted."""

    mutes: list[MuteModel]


class SubjectModel(Model):
    """A thing to mute or unmute: one of the two."""

    model_config = ConfigDict(extra="forbid")

    path: str | None = Field(default=None, max_length=4000, description="The path of a stage.")
    fingerprint: str | None = Field(
        default=None,
        max_length=100,
        description="Of failures with one cause, as `/failures` tells it; or its beginning.",
    )
    reason: ReasonText = None

    @property
    def what(self) -> MuteSubject:
        return MuteSubject.of(self.path, self.fingerprint)


class NewMute(SubjectModel):
    """A thing to mute, for whom, and for how long. A reason has to be given."""

    owner: str | None = Field(
        default=None, max_length=200, description="The one who is to fix it; null: who asks."
    )
    until: AwareDatetime | None = Field(
        default=None,
        description="When the mute ends by itself; null: in 30 days, which is the most there is.",
    )


class FailingStages(FailureFilterModel, Act):
    """Selects stages that fail now, and says how they are muted. A reason has to be given."""

    # Times and kinds are texts in JSON.
    model_config = ConfigDict(extra="forbid", strict=False)

    dry_run: bool = Field(default=False, strict=True, description="Only say what would be muted.")
    owner: str | None = Field(
        default=None, max_length=200, description="The one who is to fix them; null: who asks."
    )
    until: AwareDatetime | None = Field(
        default=None, description="When the mutes end by themselves; null: in 30 days."
    )


class StageOutcomeModel(Model):
    """The result of a command on one stage."""

    stage: Text = Field(description="Its path.")
    outcome: Literal["done", "would-be-done", "refused"] = Field(
        description="`would-be-done`: the question was only which stages."
    )
    why: Text | None = Field(default=None, description="Why it was refused.")


class StageOutcomesModel(Model):
    """The results of a command on many stages."""

    outcomes: list[StageOutcomeModel]
    complete: bool = Field(
        description="False: more stages fail than were looked at, and nothing was done about them."
    )


@router.get("/mutes")
async def mutes(service: ServiceOf) -> MutesModel:
    """List what people have muted."""
    return _all(service)


@router.post("/mutes/set", dependencies=FOR_BUILDERS, responses=may_answer(404))
async def mute(request: Request, service: ServiceOf, new: NewMute, asker: AskerOf) -> MutesModel:
    """Have failures not fail what is above, in place of an earlier mute of the same."""
    reason = reason_for(request, (), new.reason)
    await service.engine.between_steps()
    service.mutes.mute(new.what, owner=new.owner, by=asker, reason=reason, until=new.until)
    return _all(service)


@router.post("/mutes/remove", dependencies=FOR_BUILDERS, responses=may_answer(404))
async def unmute(
    request: Request, service: ServiceOf, muted: SubjectModel, asker: AskerOf
) -> MutesModel:
    """End a mute, from the next step on."""
    reason = reason_for(request, (), muted.reason)
    service.mutes.unmute(muted.what, by=asker, reason=reason)
    return _all(service)


@router.post("/failures/mute", dependencies=FOR_BUILDERS, responses=may_answer(404))
async def mute_failing(
    request: Request, service: ServiceOf, which: FailingStages, asker: AskerOf
) -> StageOutcomesModel:
    """Mute the stages that fail now and pass a filter, each by its path; it has a condition at
    least. Failures of other stages that come later are not muted: see the mute of a fingerprint.
    """
    filters = which.filters()
    if not filters:
        raise UsageError("say which stages are meant: by kind, fingerprint, since, path or label")
    failing = await service.failing(limit=_MOST)
    complete = len(failing) < _MOST or service.engine.stats.failed <= _MOST
    paths = [one.stage.path for one in failing if one.passes(filters)]
    if not paths and which.selection():
        raise problem(404, f"no stage that fails now is one with {which.selection()}")
    if which.dry_run:
        would = [StageOutcomeModel(stage=path, outcome="would-be-done") for path in paths]
        return StageOutcomesModel(outcomes=would, complete=complete)
    reason = reason_for(request, (), which.reason)
    if reason is None:
        raise UsageError("a mute needs a reason, for those who see the failure: give reason=")
    done = await mute_stages(
        service.engine, paths, owner=which.owner, by=asker, reason=reason, until=which.until
    )
    outcomes = [_outcome(path, outcome) for path, outcome in done.items()]
    return StageOutcomesModel(outcomes=outcomes, complete=complete)


def _outcome(path: str, outcome: Done | Refused) -> StageOutcomeModel:
    if isinstance(outcome, Refused):
        return StageOutcomeModel(stage=path, outcome="refused", why=outcome.why)
    return StageOutcomeModel(stage=path, outcome="done")


def _all(service: Service) -> MutesModel:
    return MutesModel(mutes=[MuteModel.of(mute) for mute in service.mutes.all()])
