"""The feed of the changes from outside, and the jobs that they have started."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Path, Query
from pydantic import ConfigDict, Field

from pycurrent.service import MOST_COUNTED, FeedEntry
from pycurrent.store import ChangeFilters, ChangeKind
from pycurrent.web.api.models import Instant, Model, Text, UsedByModel
from pycurrent.web.api.models.jobs import EntryModel
from pycurrent.web.api.routing import api_router
from pycurrent.web.context import ServiceOf
from pycurrent.web.problems import may_answer, problem

router = api_router("changes")

LARGEST = 2**53
"""The largest number that a change can have here: JSON has none that are larger."""


class ChangeModel(Model):
    """An event from outside."""

    id: int = Field(description="Its number.")
    at: datetime
    kind: ChangeKind
    input: Text | None = Field(description="The name of the input, if it has one.")
    old: Text | None = Field(description="The value of the input before, shortened.")
    new: Text | None
    by: Text | None = Field(description="The person or thing that made it, if that is known.")
    summary: Text = Field(description="The event in a line.")
    parts: list[Text] = Field(description="Its parts, commits for example, each in a line.")
    jobs: int = Field(description=f"How many follow from it, counted up to {MOST_COUNTED:,}.")

    @classmethod
    def of(cls, entry: FeedEntry) -> ChangeModel:
        change = entry.change
        return cls(
            id=change.id,
            at=change.at,
            kind=change.kind,
            input=change.input,
            old=change.old,
            new=change.new,
            by=change.by,
            summary=change.summary,
            parts=list(entry.parts),
            jobs=entry.jobs,
        )


class ChangesModel(Model):
    """Some of the changes, the newest first."""

    changes: list[ChangeModel]
    next: int | None = Field(description="The value of `before` for the next page.")


class FollowedModel(Model):
    """A change, and jobs that follow from it."""

    change: ChangeModel
    jobs: list[EntryModel] = Field(description="The newest first.")


class ChangesQuery(UsedByModel, Model):
    """Selects the changes that pass all of these; `path` and `label` are of jobs that follow."""

    model_config = ConfigDict(extra="forbid")

    kind: ChangeKind | None = None
    input: str | None = Field(default=None, max_length=1000, description="The name of an input.")
    by: str | None = Field(
        default=None, max_length=1000, description="Its author, a person or a thing."
    )
    since: Instant | None = Field(default=None, description="At this time or later.")
    until: Instant | None = Field(default=None, description="Earlier than this time.")
    before: int | None = Field(
        default=None, ge=1, le=LARGEST, description="Before the change with this number."
    )
    limit: int = Field(default=100, ge=1, le=1000)

    def filters(self) -> ChangeFilters:
        """The filters that were given."""
        given = {
            name: getattr(self, name)
            for name in ("kind", "input", "by", "since", "until", "before", "path")
        }
        filters: ChangeFilters = {name: value for name, value in given.items() if value is not None}  # type: ignore[assignment]
        if self.label:
            filters["labels"] = self.selection().labels
        return filters


@router.get("/changes")
async def changes(service: ServiceOf, query: Annotated[ChangesQuery, Query()]) -> ChangesModel:
    """List what has changed outside, the newest first, and how many jobs follow from each."""
    found = await service.archive.changes(query.filters(), limit=query.limit + 1)
    shown = [ChangeModel.of(entry) for entry in found[: query.limit]]
    return ChangesModel(changes=shown, next=shown[-1].id if len(found) > query.limit else None)


@router.get("/changes/{number}", responses=may_answer(404))
async def change(
    service: ServiceOf,
    number: Annotated[int, Path(ge=1, le=LARGEST, description="Of the change.")],
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> FollowedModel:
    """Show a change, and the jobs that follow from it."""
    story = await service.archive.change(number, limit=limit)
    if story is None:
        raise problem(404, f"no change has the number {number}, or not any more")
    return FollowedModel(
        change=ChangeModel.of(story.entry),
        jobs=[EntryModel.model_validate(job) for job in story.jobs],
    )
