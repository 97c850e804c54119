"""Mutes: failures that people know of, and that do not fail what is above."""

from __future__ import annotations

from datetime import datetime

from fastapi import Request
from pydantic import AwareDatetime, ConfigDict, Field

from pycurrent.engine import Mute, MuteSubject
from pycurrent.service import Service
from pycurrent.web.api.models import Model, Text
from pycurrent.web.api.routing import FOR_BUILDERS, api_router
from pycurrent.web.context import AskerOf, ServiceOf
from pycurrent.web.problems import may_answer
from pycurrent.web.reasons import ReasonText, reason_for

router = api_router("mutes")


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


def _all(service: Service) -> MutesModel:
    return MutesModel(mutes=[MuteModel.of(mute) for mute in service.mutes.all()])
