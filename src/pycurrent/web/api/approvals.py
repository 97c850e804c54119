"""Approvals of commits: they let untrusted work begin."""

from __future__ import annotations

from datetime import datetime

from fastapi import Request
from pydantic import ConfigDict, Field

from pycurrent.engine.approvals import Approval
from pycurrent.service import Service
from pycurrent.web.api.models import Model
from pycurrent.web.api.routing import FOR_ADMINS, api_router
from pycurrent.web.context import AskerOf, ServiceOf
from pycurrent.web.reasons import ReasonText, reason_for

router = api_router("approvals")


class ApprovalModel(Model):
    """A commit whose untrusted work may begin."""

    commit: str = Field(description="Its whole hash.")
    by: str | None = Field(description="The user who has approved it, if that is known.")
    at: datetime = Field(description="When it was approved.")
    reason: str | None = Field(description="The reason that was given.")

    @classmethod
    def of(cls, approval: Approval) -> ApprovalModel:
        return cls(commit=approval.commit, by=approval.by, at=approval.at, reason=approval.reason)


class ApprovalsModel(Model):
    """The commits that are approved, sorted."""

    approvals: list[ApprovalModel]


class CommitModel(Model):
    """A commit."""

    model_config = ConfigDict(extra="forbid")

    commit: str = Field(max_length=100, description="Its whole hash: 40 or 64 digits.")
    reason: ReasonText = None


@router.get("/approvals")
async def approvals(service: ServiceOf) -> ApprovalsModel:
    """List the commits that people have approved."""
    return _all(service)


@router.post("/approvals/approve", dependencies=FOR_ADMINS)
async def approve_commit(
    request: Request, service: ServiceOf, given: CommitModel, asker: AskerOf
) -> ApprovalsModel:
    """Let the untrusted work of exactly this commit begin. It stays untrusted."""
    reason = reason_for(request, (), given.reason)
    service.approvals.approve(given.commit, by=asker, reason=reason)
    return _all(service)


@router.post("/approvals/withdraw", dependencies=FOR_ADMINS)
async def withdraw_commit(
    request: Request, service: ServiceOf, given: CommitModel, asker: AskerOf
) -> ApprovalsModel:
    """Take the approval of a commit back: its work waits again, unless it was let go already."""
    reason = reason_for(request, (), given.reason)
    service.approvals.withdraw(given.commit, by=asker, reason=reason)
    return _all(service)


def _all(service: Service) -> ApprovalsModel:
    return ApprovalsModel(approvals=[ApprovalModel.of(one) for one in service.approvals.all()])
