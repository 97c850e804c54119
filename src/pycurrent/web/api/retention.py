"""Retention: the rules of the engine, what it has removed, and what it would remove now."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from pycurrent.service import Service
from pycurrent.web.api.models import Model, Text
from pycurrent.web.api.models.model import Seconds
from pycurrent.web.api.routing import FOR_BUILDERS, api_router
from pycurrent.web.context import ServiceOf

if TYPE_CHECKING:
    from pycurrent.facade.upkeep import Upkeep
    from pycurrent.store.gc import GcReport

router = api_router("retention")


class TakenModel(Model):
    """The parts of jobs of one operation that one rule lets go."""

    rule: Text
    part: Literal["log", "files", "tests"]
    op: Text
    jobs: int
    bytes: int = Field(description="Content that several jobs have saved counts for each.")


class RemovalModel(Model):
    """A removal: done, or only looked at."""

    taken: list[TakenModel] = Field(description="The parts of jobs whose records stay.")
    log_bytes: int
    files: int = Field(description="How many saved files go with them, each content once.")
    file_bytes: int
    unmatched: list[Text] = Field(
        description="The rules with an operation of which no job is recorded."
    )
    failures: list[Text] = Field(description="The files that can't be removed, and why.")

    @classmethod
    def of(cls, report: GcReport) -> RemovalModel:
        taken = [
            TakenModel(rule=rule, part=part.value, op=op, jobs=one.jobs, bytes=one.bytes)
            for (rule, part, op), one in report.taken.items()
        ]
        return cls(
            taken=sorted(taken, key=lambda one: (one.rule, one.op, one.part)),
            log_bytes=report.log_bytes,
            files=report.contents,
            file_bytes=report.content_bytes,
            unmatched=report.unmatched,
            failures=report.failures,
        )


class RetentionModel(Model):
    """The rules, and what the engine does about them."""

    rules: list[Text] = Field(description="The first one that matches a job decides.")
    files_max_size: int | None = Field(description="How many bytes saved files may take.")
    at_work: bool = Field(description="It is removing something now.")
    next: datetime | None = Field(description="When it removes something again; null: never.")
    ran: datetime | None = Field(description="When it did so last, since it was started.")
    took: Seconds | None = Field(description="How long that took.")
    removed: RemovalModel | None = Field(description="The parts and files that went then.")


@router.get("/retention")
async def retention(service: ServiceOf) -> RetentionModel:
    """Show the rules of retention, and what was removed by them."""
    upkeep = _upkeep(service)
    last = upkeep.last
    return RetentionModel(
        rules=[str(rule) for rule in upkeep.retention.rules],
        files_max_size=upkeep.retention.max_size,
        at_work=upkeep.is_at_work,
        next=upkeep.next,
        ran=None if last is None else last.at,
        took=None if last is None else last.took,
        removed=None if last is None else RemovalModel.of(last.report),
    )


# It looks at all jobs, which takes the machine some time.
@router.get("/retention/next", dependencies=FOR_BUILDERS)
async def next_removal(service: ServiceOf) -> RemovalModel:
    """Say what would be removed now."""
    return RemovalModel.of(await _upkeep(service).would_remove())


def _upkeep(service: Service) -> Upkeep:
    from pycurrent.facade.upkeep import Upkeep  # few engines have rules

    return service.engine.service(Upkeep)
