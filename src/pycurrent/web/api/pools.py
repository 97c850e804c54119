"""The pools: who holds their resources, and who waits for them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Query
from pydantic import ConfigDict, Field

from pycurrent.web.api.models import Model, Text
from pycurrent.web.api.models.model import Seconds
from pycurrent.web.api.routing import api_router
from pycurrent.web.context import ServiceOf
from pycurrent.web.problems import may_answer, problem

router = api_router("pools")


class HolderModel(Model):
    """A job that holds a resource of a pool."""

    job: str
    description: Text
    since: datetime
    runs_at: Text | None = Field(
        description="The place that its commands run at; null for the engine's machine."
    )


class QueuedModel(Model):
    """A job in the queue of a pool."""

    job: str
    description: Text
    place: int = Field(description="1 for the next one.")
    since: datetime | None = Field(
        description="Null where it is not known: for a job that waits in the middle of its work."
    )
    expected: Seconds | None = Field(
        description="Seconds that it may still take, if uses are as long as the last ones were;"
        " null: not known, or the pool is shared by a label."
    )


class PoolModel(Model):
    """A pool as it is now. Pools with resources of their own (`Pool.of`) don't tell all of it."""

    label: Text
    capacity: int | None
    used: int | None
    share_by: Text | None = Field(description="The label by whose values it is shared.")
    quota: int | None = Field(description="How many resources each of these may hold.")
    queue: int = Field(description="How many jobs wait.")
    held_for: Seconds | None = Field(
        description="Seconds that the last 50 uses took since the start, in the middle."
    )
    holding: int = Field(description="How many jobs hold a resource.")
    holders: list[HolderModel] = Field(description="The ones that have held it longest.")
    waiting: list[QueuedModel] = Field(description="The next ones.")


class AtWorkModel(Model):
    """A job that waits in the middle of its work."""

    job: str
    description: Text
    waits: list[Text] = Field(description="The things that it waits for, in words.")


class PoolsModel(Model):
    """The pools that jobs have used since the start, those with the longest queues first."""

    pools: list[PoolModel]
    at_work: list[AtWorkModel] = Field(
        description="Jobs that wait in the middle of their work: for another pool, a folder, their"
        " turn."
    )


class QueueModel(Model):
    """A part of the queue of a pool."""

    total: int
    waiting: list[QueuedModel]


class PoolsQuery(Model):
    """How many jobs of each pool are listed."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=20, ge=1, le=1000, description="How many of each at most.")


@router.get("/pools")
async def pools(service: ServiceOf, query: Annotated[PoolsQuery, Query()]) -> PoolsModel:
    """List the pools: which jobs hold their resources since when, and which ones wait."""
    found = service.pools.show(holders=query.limit, waiting=query.limit)
    at_work = service.pools.waiting_at_work(query.limit)
    return PoolsModel.model_validate({"pools": found, "at_work": at_work}, from_attributes=True)


@router.get("/pools/queue", responses=may_answer(404))
async def queue(
    service: ServiceOf,
    pool: Annotated[str, Query(max_length=1000, description="The label of the pool.")],
    skip: Annotated[int, Query(ge=0, le=10**9)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> QueueModel:
    """List a part of the queue of a pool, the next job first."""
    found = service.pools.queue(pool, skip=skip, limit=limit)
    if found is None:
        raise problem(404, f"no job has used a pool {pool!r} whose queue is here")
    total, waiting = found
    return QueueModel.model_validate({"total": total, "waiting": waiting}, from_attributes=True)
