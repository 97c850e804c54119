"""Allocations of a Slurm cluster, in which jobs run their commands."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from pycurrent.engine.custom_pool import CustomPool
from pycurrent.engine.place import Place, PlaceLost
from pycurrent.engine.place_asking import ask
from pycurrent.engine.pool import Lender, Pool
from pycurrent.engine.tasks import cancelled, end_if_cancelled, uncancellable
from pycurrent.errors import PycurrentError, UsageError, WrongKind
from pycurrent.places import agent_arguments, program_words
from pycurrent.plugins.slurm.allocation import AllocationPlace, Needs, check_word, source
from pycurrent.plugins.slurm.slurm_commands import (
    Allocation,
    SlurmCommands,
    SlurmIsAway,
    SlurmRefuses,
    runs,
    waits,
)
from pycurrent.term import shown

if TYPE_CHECKING:
    from pycurrent.engine.driven_job import DrivenJob

T = TypeVar("T")

_LOOK, _LONGEST_LOOK = 0.1, 5.0
"""Seconds between two looks at a job that waits in Slurm's queue: at first, and at most."""
_PAUSE, _LONGEST_PAUSE = 2.0, 60.0
"""Seconds until Slurm is asked again which did not answer: at first, and at most."""


class Partition(CustomPool[Place]):
    """A partition of a Slurm cluster as a pool: a job that is started with it gets an allocation of
    its own, with so many `cpus`, `memory` ("4G"), `gres` ("gpu:1"), nodes that meet a `constraint`,
    and for at most `time_limit`, all as `sbatch` takes them. It runs its commands there.

    Without a `name` it is the cluster's default partition. Slurm's `sbatch`, `squeue`, `scancel`
    and `srun` have to be here, and a `python3` of version 3.8 or later at the nodes (or the one at
    the path `python`), with a home directory that can be written to; nothing else.

    `capacity` jobs at once are in Slurm's queue or run there; others wait here. Slurm's reason why
    one waits is the job's. If Slurm ends an allocation, or its node fails, the job fails for a
    reason that is not its work's, so it is tried again. While a node can't be reached its commands
    go on, for as long as the longer one of `lease` (in seconds, if a number) and the engine's lease
    says. An allocation that no engine has asked for that long ends by itself.

    Raises `UsageError` for malformed values. A job that Slurm refuses fails, with Slurm's words.
    """

    lends_places: ClassVar[bool] = True

    def __init__(
        self,
        name: str | None = None,
        *,
        account: str | None = None,
        qos: str | None = None,
        cpus: int = 1,
        memory: str | None = None,
        gres: str | None = None,
        constraint: str | None = None,
        time_limit: timedelta | None = None,
        capacity: int = 100,
        label: str | None = None,
        python: str = "python3",
        lease: timedelta | float = 120.0,
    ) -> None:
        for option, value in (("name", name), ("account", account), ("qos", qos)):
            check_word(option, value)
        seconds = lease.total_seconds() if isinstance(lease, timedelta) else float(lease)
        if not seconds > 0:
            raise UsageError(f"slurm.Partition: lease= takes a time above 0, not {shown(lease)}")
        label = label or ("slurm" if name is None else f"slurm {name}")
        super().__init__(label, self._acquire, self._restore)
        self._needs = Needs(cpus, memory, gres, constraint, time_limit)
        self._name, self._account, self._qos = name, account, qos
        self._python, self._lease = python, seconds
        self._capacity = capacity
        self.queue = Pool(label, capacity)
        """The queue of jobs that are not given to Slurm yet."""
        self._commands: SlurmCommands | None = None
        """Of the engine that has asked last."""

    def pool(self, label: str, *, capacity: int | None = None, **needs: Any) -> Partition:
        """A pool of the same partition whose jobs have other needs: those of `cpus`, `memory`,
        `gres`, `constraint` and `time_limit` that are given, else those of this one.
        """
        try:
            changed = replace(self._needs, **needs)
        except TypeError:
            unknown = ", ".join(sorted(set(needs) - set(Needs.__slots__)))
            raise WrongKind(
                f"Partition.pool knows {', '.join(Needs.__slots__)}, not {unknown}"
            ) from None
        made = Partition(
            self._name,
            account=self._account,
            qos=self._qos,
            capacity=self._capacity if capacity is None else capacity,
            label=label,
            python=self._python,
            lease=self._lease,
        )
        made._needs = changed
        return made

    @property
    def counting(self) -> Pool:
        return self.queue

    @property
    def entry(self) -> Pool:
        return self.queue

    def told(self, resource: object) -> object:
        assert isinstance(resource, AllocationPlace)
        return [resource.number, resource.socket, resource.node]

    def __repr__(self) -> str:
        return f"slurm.Partition({self._name!r}, label={self.label!r})"

    def _slurm(self, job: DrivenJob) -> SlurmCommands:
        processes = job.host.processes()
        if self._commands is None or self._commands.processes is not processes:
            self._commands = SlurmCommands(processes, job.host.tmp)
        return self._commands

    # Allocations

    @asynccontextmanager
    async def _acquire(self, job: DrivenJob, lender: Lender | None = None) -> AsyncIterator[Place]:
        # Known to nobody else: a user who knows it may have things started there.
        socket = f"pycurrent-{secrets.token_hex(16)}"
        name = socket[:20]
        what = f"--name={name}"
        async with self.queue.acquire(job, lender=lender):
            try:
                number = await self._submitted(job, name, socket)
                what = str(number)
                node = (await self._begun(job, number)).node
                async with self._in_use(self._place(number, socket, node), job) as place:
                    yield place
            finally:
                await self._cancel(job, what)

    @asynccontextmanager
    async def _restore(self, job: DrivenJob, told: Any) -> AsyncIterator[Place]:
        """The allocation that the job has had. Raises `PlaceLost` if it is over: then the job is
        run afresh in another one.
        """
        number, socket, node = told
        place = self._place(number, socket, node)
        lender = self.queue.take_over(job)
        try:
            allocation = await self._looked_at(job, number, 0.0)
            if allocation is None or not runs(allocation):
                state = "unknown" if allocation is None else allocation.state
                raise PlaceLost(f"the job was at work at {place}, which is over: {state}")
            try:
                async with self._in_use(place, job):
                    yield place
            finally:
                await self._cancel(job, str(number))
        finally:
            lender.give_back()

    def _place(self, number: int, socket: str, node: str) -> AllocationPlace:
        return AllocationPlace(number, socket, node, self._python, self._lease)

    async def _submitted(self, job: DrivenJob, name: str, socket: str) -> int:
        """Slurm's number of a new job, for which it was asked with this name."""
        slurm, is_first = self._slurm(job), True
        script, options = self._script(socket), list(self._options(job, name))

        async def submit() -> int:
            nonlocal is_first
            # That it did not answer does not say that it has not taken it.
            taken = None if is_first else await slurm.named(name)
            is_first = False
            return taken or await slurm.submit(script, options)

        try:
            return await self._persistent(job, submit)
        except SlurmRefuses as why:
            raise UsageError(f"Slurm refuses a job of pool {self.label}: {why}") from None

    def _script(self, socket: str) -> str:
        given = (socket, str(self._lease), *agent_arguments())
        words = program_words(self._python, source("holder.py"), *given)
        return f"#!/bin/sh\n{words}\n"

    def _options(self, job: DrivenJob, name: str) -> Iterator[str]:
        chosen = {"partition": self._name, "account": self._account, "qos": self._qos}
        yield from (f"--{option}={value}" for option, value in chosen.items() if value is not None)
        yield from self._needs.options
        yield from (f"--job-name={name}", f"--comment={job.op}", "--nodes=1", "--ntasks=1")
        # The variables of the login at the node, and none of the engine's.
        yield from ("--no-requeue", "--export=NONE", "--chdir=/", "--input=/dev/null")
        yield from ("--output=/dev/null", "--error=/dev/null")

    async def _begun(self, job: DrivenJob, number: int) -> Allocation:
        """Wait in Slurm's queue."""
        slurm, pause, reason = self._slurm(job), _LOOK, "None"

        def why() -> str:
            told = "" if reason == "None" else f": {reason}"
            return f"Slurm to begin its job {number} of pool {self.label}{told}"

        with job.waiting_for(why):
            while True:
                allocation = await self._looked_at(job, number, pause / 2)
                if allocation is not None and runs(allocation):
                    return allocation
                if allocation is None or not waits(allocation):
                    end = await self._persistent(job, lambda: slurm.end_of(number))
                    raise PlaceLost(f"Slurm's job {number} is over: {end}")
                reason = allocation.reason
                await asyncio.sleep(pause)
                pause = min(1.25 * pause, _LONGEST_LOOK)

    async def _looked_at(self, job: DrivenJob, number: int, seconds: float) -> Allocation | None:
        slurm = self._slurm(job)
        return await self._persistent(job, lambda: slurm.look(number, seconds))

    async def _persistent(self, job: DrivenJob, asked: Callable[[], Awaitable[T]]) -> T:
        """The answer of Slurm, for which the job waits until there is one."""
        pause = _PAUSE
        with ExitStack() as waiting:
            while True:
                try:
                    return await asked()
                except SlurmIsAway as error:
                    why = str(error)
                    if pause == _PAUSE:
                        waiting.enter_context(job.waiting_for(f"an answer of Slurm: {why}"))
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    @asynccontextmanager
    async def _in_use(self, place: AllocationPlace, job: DrivenJob) -> AsyncIterator[Place]:
        """Have it know during the block that somebody needs it."""

        async def needed() -> None:
            hello = {"what": "hello", "args": {}, "patience": 0.0, "silence": self._lease}
            while True:
                await asyncio.sleep(self._lease / 3)
                # It may be away, or the engine short of something: commands say so.
                with suppress(OSError, PycurrentError):
                    await ask(job.host.processes(), job.host.tmp, place.relay(), hello)
                end_if_cancelled()

        asking = asyncio.create_task(needed())
        try:
            yield place
        finally:
            await cancelled(asking)

    async def _cancel(self, job: DrivenJob, what: str) -> None:
        try:
            await uncancellable(self._slurm(job).cancel(what))
        except PycurrentError as why:
            job.note(
                f"Slurm can't be told that its job is needed no more ({why}): it ends by itself"
            )
