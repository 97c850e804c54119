"""Ray clusters as pools."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from pycurrent.engine.custom_pool import CustomPool
from pycurrent.engine.place import Place, PlaceLost
from pycurrent.engine.pool import Lender, Pool
from pycurrent.engine.secret import Secret
from pycurrent.errors import UsageError
from pycurrent.plugins.ray.connection import Connection, Tls
from pycurrent.plugins.ray.place import RayPlace
from pycurrent.plugins.ray.reservation import Placed, Reservation
from pycurrent.plugins.ray.shape import Shape, shape_of
from pycurrent.plugins.ray.shells import PYTHON
from pycurrent.term import shown

if TYPE_CHECKING:
    from pycurrent.engine.driven_job import DrivenJob

_ASKING = 16
"""Jobs of a pool that a cluster is asked for at once. The others wait here, by their priority; so
many are enough for a cluster that grows to see what is wanted.
"""
_ADDRESS = re.compile(r"auto|(ray://)?([A-Za-z0-9_.-]+|\[[0-9a-fA-F:.]+\]):[0-9]{1,5}", re.ASCII)
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Way:
    """How the nodes of a cluster are reached."""

    connection: Connection
    python: str
    lease: float


class RayPool(CustomPool[Place]):
    """A pool of a cluster: each of its jobs gets resources there, and runs on the node that has
    them.
    """

    lends_places: ClassVar[bool] = True

    def __init__(self, label: str, way: _Way, shape: Shape, capacity: int | None) -> None:
        super().__init__(label, self._acquire, self._restore)
        self._way = way
        self._shape = shape
        self._queue = None if capacity is None else Pool(label, capacity)
        self._asking = Pool(label, _ASKING)

    @property
    def counting(self) -> Pool | None:
        return self._queue

    @property
    def entry(self) -> Pool:
        return self._asking if self._queue is None else self._queue

    def told(self, resource: object) -> object:
        assert isinstance(resource, RayPlace)
        return msgspec.to_builtins(resource.at)

    def _place(self, job: DrivenJob, at: Placed) -> RayPlace:
        way = self._way
        return RayPlace(at, way.connection.socket_of(job.host), way.python, way.lease)

    @asynccontextmanager
    async def _acquire(self, job: DrivenJob, lender: Lender | None = None) -> AsyncIterator[Place]:
        async with AsyncExitStack() as held:
            if self._queue is not None:
                await held.enter_async_context(self._queue.acquire(job, lender=lender))
                lender = None
            yield self._place(job, await self._reserve(job, held, lender))

    async def _reserve(self, job: DrivenJob, held: AsyncExitStack, lender: Lender | None) -> Placed:
        reservation: Reservation | None = None

        def why() -> str:
            if reservation is None:
                return f"its turn to ask Ray cluster {self._way.connection.address}"
            return reservation.why

        with job.waiting_for(why):
            async with self._asking.acquire(job, lender=lender):
                reservation = Reservation(self._way.connection, job, self._shape)
                held.push_async_callback(reservation.close)
                return await reservation.placed()

    @asynccontextmanager
    async def _restore(self, job: DrivenJob, told: object) -> AsyncIterator[Place]:
        """The node that the job has had. Its resources are asked for again, but not awaited: its
        commands may run there already.
        """
        try:
            at = msgspec.convert(told, Placed)
        except msgspec.ValidationError:
            raise PlaceLost(
                f"the job was at work at {shown(told)}, which is not a node of pool {self.label}"
            ) from None
        lender = None if self._queue is None else self._queue.take_over(job)
        reservation = Reservation(self._way.connection, job, self._shape, at)
        try:
            yield self._place(job, at)
        finally:
            await reservation.close()
            if lender is not None:
                lender.give_back()


class Cluster(RayPool):
    """A Ray cluster: a job that is started with it, or with a pool of it, runs its commands on one
    of the nodes.

    `address` is that of the head: `ray://head:10001` from everywhere, or `head:6379`, or `auto`, on
    a machine that is a node of the cluster itself. The cluster lets in who has its `token`, and the
    certificate of `tls`, if it asks for them. Our programs run on the Python that Ray has on the
    nodes, or on another one there of version 3.8 or later, at the path `python`. The nodes need
    nothing of ours.

    As a pool it gives each job `cpus`, `memory` (in bytes, or like "4G") and `resources` of the
    cluster, on a node with these `labels`; `capacity` jobs run at once, or as many as there is room
    for. `pool` makes others.

    While the connection to a node is lost its commands go on, for as long as the longer one of
    `lease` (in seconds, if a number) and the engine's lease says. A cluster that does not answer
    within `connect_timeout` seconds can't be used, and is asked again. Raises `UsageError` for
    malformed values.
    """

    def __init__(
        self,
        address: str = "auto",
        *,
        cpus: float = 1,
        memory: int | str | None = None,
        resources: Mapping[str, float] = _NOTHING,
        labels: Mapping[str, str] = _NOTHING,
        capacity: int | None = None,
        label: str = "ray",
        token: Secret | str | None = None,
        tls: Tls | None = None,
        python: str | None = None,
        lease: timedelta | float = 60.0,
        connect_timeout: float = 15.0,
    ) -> None:
        if not isinstance(address, str) or not _ADDRESS.fullmatch(address):
            raise UsageError(
                'ray.Cluster takes the address of a head, as "ray://head.example.org:10001",'
                f' "head.example.org:6379" or "auto", not {shown(address)}'
            )
        seconds = lease.total_seconds() if isinstance(lease, timedelta) else float(lease)
        for name, value in (("lease", seconds), ("connect_timeout", connect_timeout)):
            if not value > 0:
                raise UsageError(f"ray.Cluster: {name}= takes a time above 0, not {shown(value)}")
        connection = Connection(address, token, tls, connect_timeout)
        shape = shape_of(cpus, memory, resources, labels)
        super().__init__(label, _Way(connection, python or PYTHON, seconds), shape, capacity)

    @property
    def address(self) -> str:
        """The address of the head, as it was given."""
        return self._way.connection.address

    def pool(
        self,
        label: str,
        *,
        cpus: float = 1,
        memory: int | str | None = None,
        resources: Mapping[str, float] = _NOTHING,
        labels: Mapping[str, str] = _NOTHING,
        capacity: int | None = None,
    ) -> RayPool:
        """Another pool of this cluster, whose jobs get something else."""
        return RayPool(label, self._way, shape_of(cpus, memory, resources, labels), capacity)

    def __repr__(self) -> str:
        return f"ray.Cluster({self.address!r})"
