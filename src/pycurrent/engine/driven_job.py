"""A job as its engine drives it: its state, and all that its operation can ask of it.

`job.py` has the contract of what operations may use; `job_start.py` has the states, and what a job
waits for before its work begins; `job_run.py` runs the work and ends the job.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import (
    AbstractContextManager,
    AsyncExitStack,
    ExitStack,
    asynccontextmanager,
)
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec.structs import replace

from pycurrent.engine.arguments import check_functions, check_pool, check_priority, check_start
from pycurrent.engine.clock import Moment
from pycurrent.engine.custom_pool import CustomPool
from pycurrent.engine.forgotten import Calls, to_be_awaited, to_be_entered
from pycurrent.engine.hooks import Hook, Hooks
from pycurrent.engine.job_host import JobHost
from pycurrent.engine.job_owner import JobOwner
from pycurrent.engine.job_parts import NO_PARTS, JobParts
from pycurrent.engine.job_start import JobStart
from pycurrent.engine.job_state import JobState
from pycurrent.engine.job_work import WorkingJob
from pycurrent.engine.joblog import JobLog
from pycurrent.engine.level import Level
from pycurrent.engine.limits import Limits, Timeout
from pycurrent.engine.machine import Blame
from pycurrent.engine.paused import Pause, StagePath
from pycurrent.engine.pool import AnyPool, Pool, Tickets, Urgency
from pycurrent.engine.resources import Resources
from pycurrent.engine.stopped import Cancelled, Stopped, TimedOut, TimeLimit
from pycurrent.engine.waits import Told, text_of
from pycurrent.errors import UsageError, WrongKind
from pycurrent.term import Activity, Untrusted, shown

if TYPE_CHECKING:
    from pycurrent.engine.commands import Commands
    from pycurrent.engine.durable_commands import DurableCommands
    from pycurrent.engine.left_runs import LeftRun
    from pycurrent.engine.place import Place
    from pycurrent.store import RanRecord


T = TypeVar("T")


class DrivenJob(WorkingJob, Tickets):
    """A job, with what its engine needs to drive it. It keeps its tickets itself, as 100,000 may
    wait.
    """

    __slots__ = (
        "__weakref__",
        "_created",
        "_owner",
        "_parts",
        "_start",
        "begun",
        "blame",
        "description",
        "host",
        "id",
        "is_approved",
        "job_log",
        "limits",
        "op",
        "state",
        "stopped",
        "task",
        "urgency",
    )

    id: str
    op: str
    description: str
    urgency: Urgency
    stopped: Stopped | None
    """The reason to end, if it was told to: it then ends as soon as it can."""
    blame: Blame
    """The one to blame if it has failed."""
    task: asyncio.Task[Any] | None
    """The task of the work, while it runs."""

    def __init__(
        self,
        host: JobHost,
        log: JobLog,
        *,
        id: str,
        op: str,
        description: str,
        urgency: Urgency,
        owner: JobOwner,
        created: Moment,
        tickets: Tickets | None = None,
    ) -> None:
        """`tickets` are those of a job whose place it takes; several may be `created` at once."""
        self.host = host
        self.id = id
        self.op = op
        self.description = description
        self.urgency = urgency
        Tickets.__init__(self, tickets)
        self.stopped = None
        self.begun: Moment | None = None
        self.blame = Blame.WORK
        self.state = JobState.CREATED
        self.is_approved = False
        self.job_log = log
        self.task = None
        self._owner = owner
        self._created = created
        self.limits: Limits | None = None
        self._start: JobStart | None = None
        self._parts = NO_PARTS

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.state.value}>"

    @property
    def created(self) -> datetime:
        return self._created.date

    @property
    def started(self) -> datetime | None:
        return None if self.begun is None else self.begun.date

    @property
    def has_begun(self) -> bool:
        return self.begun is not None

    @property
    def cancelled(self) -> str | None:
        return None if self.stopped is None else self.stopped.reason

    @property
    def level(self) -> Level | None:
        return None if self.limits is None else self.limits.level

    @property
    def pool(self) -> AnyPool | None:
        return None if self.limits is None else self.limits.pool

    @property
    def priority(self) -> int:
        return 0 if self.limits is None else self.limits.priority

    def label(self, name: str) -> str | None:
        return self._owner.label_of(self, name)

    @property
    def trusts(self) -> Sequence[Untrusted]:
        return self._owner.trusts_of(self)

    @property
    def is_trusted(self) -> bool:
        return not self._owner.is_confined(self)

    @property
    def owner(self) -> JobOwner:
        """The one that has it made."""
        return self._owner

    @property
    def stages(self) -> Iterable[StagePath]:
        return self._owner.stages_of(self)

    @property
    def pause(self) -> Pause | None:
        """The pause for which it waits, while its state is PAUSED."""
        start = self._start
        return None if start is None or self.state is not JobState.PAUSED else start.pause

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels of the stages that want it, or else of the one that wanted it first."""
        return self._owner.labels_of(self)

    @property
    def waits_for_records(self) -> bool:
        """True if its work could begin, but can't be recorded now."""
        return self._start is not None and self._start.waits_for_records

    # Its parts

    @property
    def _own_parts(self) -> JobParts:
        """The parts of this job alone, to be added to."""
        if self._parts is NO_PARTS:
            self._parts = JobParts()
        return self._parts

    @property
    def tickets(self) -> Tickets:
        return self

    @property
    def hooks(self) -> Hooks:
        hooks = self._parts.hooks
        if hooks is None:
            hooks = self._own_parts.hooks = Hooks(self.job_log.line, self.host.clock)
            if self.stopped is not None:
                hooks.run(self.stopped.reason)
        return hooks

    @property
    def calls(self) -> Calls:
        calls = self._parts.calls
        if calls is None:
            calls = self._own_parts.calls = Calls(self.job_log.line)
        return calls

    @property
    def commands(self) -> Commands:
        commands = self._parts.commands
        if commands is None:
            diverged = partial(self._owner.job_diverged, self)
            if self.place is not None:
                commands = self.host.place_commands(
                    self.id, self.job_log, diverged, self.waiting_for, goes_on=self.is_durable
                )
            elif self.is_durable:
                commands = self.host.durable_commands(self.id, self.job_log, diverged)
            else:
                commands = self.host.commands(self.id, self.job_log)
            self._own_parts.commands = commands
            if self.stopped is not None:
                commands.end()
            if self.state is JobState.ENDED:
                commands.close()
        return commands

    @property
    def is_durable(self) -> bool:
        """True if its commands go on when the engine is killed, and the next one with the job."""
        is_wanted = self.host.config.lease is not None and sys.platform == "linux"
        pool = self.pool
        can_be = self.is_trusted and not (isinstance(pool, CustomPool) and pool.restore is None)
        return is_wanted and can_be and self._owner.is_durable(self)

    @property
    def has_journal(self) -> bool:
        """True if it has one, which goes once its end is recorded."""
        commands = self._parts.commands
        return commands is not None and commands.has_journal

    @property
    def has_left_something(self) -> bool:
        """True if, at its end, something of it may still run at its place."""
        commands = self._parts.commands
        return commands is not None and commands.have_left_something

    def go_on(self, left: LeftRun) -> None:
        """Go on with what an earlier engine has left of it."""
        diverged = partial(self._owner.job_diverged, self)
        held, commands = left.journal.held, self.host.durable_commands
        if held is not None and held.is_place:
            self._own_parts.commands = self.host.place_commands(
                self.id, self.job_log, diverged, self.waiting_for, goes_on=True, left=left
            )
        else:
            self._own_parts.commands = commands(self.id, self.job_log, diverged, left)

    @property
    def place(self) -> Place | None:
        """Where its commands run; None: on the engine's machine."""
        return self._parts.place

    @property
    def goes_on(self) -> bool:
        """True if an earlier engine has begun it."""
        commands = self._parts.commands
        return commands is not None and commands.began is not None

    @property
    def ran(self) -> RanRecord | None:
        """Where it has run, and what its commands have used so far; None if it has run none, and
        has no place.
        """
        parts = self._parts
        used = None if parts.commands is None else parts.commands.used
        if used is None and parts.place is None:
            return None
        from pycurrent.store import RanRecord  # few jobs of a small pipeline run commands

        cpu, memory = (None, None) if used is None else (used.cpu, used.memory)
        pool = None if self.pool is None else self.pool.label
        place = None if parts.place is None else str(parts.place)
        return RanRecord(self.id, pool, place, cpu, memory)

    @property
    def running_commands(self) -> frozenset[object]:
        commands = self._parts.commands
        return frozenset() if commands is None else commands.running

    @property
    def has_commands(self) -> bool:
        """True if there is anything to end or close of its commands: `commands` was asked for."""
        return self._parts.commands is not None

    @property
    def resources(self) -> Resources:
        resources = self._parts.resources
        if resources is None:
            resources = self._own_parts.resources = Resources()
        return resources

    @property
    def time_limit(self) -> TimeLimit | None:
        """The limit of the time that its work may take, while that goes on."""
        return self._parts.time_limit

    @property
    def holds_resource(self) -> bool:
        """True if it has the resource of its pool."""
        resources = self._parts.resources
        return resources is not None and resources.are_held

    @property
    def holds_nothing(self) -> bool:
        """True if nothing has to be wound up at its end."""
        parts = self._parts
        has_nothing = self.task is None and parts.hooks is None and parts.commands is None
        return has_nothing and not self.holds_resource

    # The log

    @property
    def log_path(self) -> Path:
        return self.job_log.to_file().path

    def log(self, line: str) -> None:
        self.job_log.to_file().line(line)

    def note(self, line: str) -> None:
        """Add a line of the engine's own to the log, which alone makes no file of it."""
        self.job_log.line(line)

    def write(self, data: str | bytes) -> None:
        if not isinstance(data, str | bytes | bytearray | memoryview):
            raise WrongKind(
                f"job.write takes a text or bytes, not {shown(data)}: write job.log(...), which"
                " takes anything"
            )
        self.job_log.to_file().write(data)

    def secret(self, value: str) -> str:
        self.refuse_untrusted("untrusted work gets no secrets")
        self.job_log.secret(value)
        return value

    # Starting

    @property
    def activity(self) -> Activity:
        """The activity of the job, for those who wait for it."""
        match self.state:
            case JobState.WAITING_FOR_CONFIRMATION:
                return Activity.WAITING_FOR_CONFIRMATION
            case JobState.RUNNING if self._waits_for_turn:
                return Activity.READY
            case JobState.RUNNING | JobState.ENDED:
                return Activity.RUNNING
            case _:
                return Activity.READY

    @property
    def waits_for_person(self) -> bool:
        """True if nothing but a person may bring it on: it waits for confirmation, for a disk to
        record it on, or for the end of other jobs in its pool, which may wait for a person too.
        """
        return self.stopped is None and self._start is not None and self._start.waits_for_person

    @to_be_awaited
    async def start(
        self,
        *,
        level: Level,
        pool: AnyPool | None = None,
        timeout: timedelta | float | None = None,
        priority: int = 0,
    ) -> Any:
        try:
            limits = Limits(level, pool, timeout, priority)
        except UsageError:
            check_start(level, pool, timeout, priority)  # It names the call.
            raise
        self._take_on(limits)
        return await self.finish_start()

    async def finish_start(self) -> Any:
        """Go on with its start, as the task that does its work, until the work may begin. Gives
        the resource of a custom pool.
        """
        start, limits = self._start, self.limits
        assert start is not None
        assert limits is not None
        pool, resource = limits.pool, None
        try:
            if isinstance(pool, CustomPool):
                why_not = self._why_not_at(pool)
                if why_not is not None:
                    raise UsageError(why_not)
                resource = await self._take(pool, start)
            await start.passed()
        finally:
            self._start = None
        if isinstance(pool, CustomPool):
            self._hold(pool, resource)
        self._begin(limits.timeout)
        return resource

    def _why_not_at(self, pool: CustomPool[Any]) -> str | None:
        """Why its work can't be done at the places of a pool; None if it can, or there are none."""
        if not pool.lends_places:
            return None
        if self._owner.is_local(self):
            return (
                f"{self.op} needs files of the engine's machine, so it can't run at another place,"
                f" which pool {pool.label} would lend it: give it another pool, or none"
            )
        return None if sys.platform == "linux" else f"pool {pool.label} needs an engine on Linux"

    def _hold(self, pool: CustomPool[Any], resource: Any) -> None:
        """It has a resource: have the next engine know that, and go where it is."""
        if pool.lends_places:
            self._own_parts.place = resource
            self.note(f"Runs at {resource}")
            self.commands.move_to(resource)
        if pool.restore is not None and not self.goes_on and (pool.lends_places or self.is_durable):
            self._durable_commands.hold(
                pool.told(resource), goes_on=self.is_durable, is_place=pool.lends_places
            )

    @property
    def _durable_commands(self) -> DurableCommands:
        from pycurrent.engine.durable_commands import DurableCommands

        commands = self.commands
        assert isinstance(commands, DurableCommands)
        return commands

    async def _take(self, pool: CustomPool[Any], start: JobStart) -> Any:
        """Wait for a resource of a custom pool, which is given back if the job was paused
        meanwhile. A job that goes on gets the one again that it had.
        """
        if self.goes_on:
            if pool.restore is None:
                self._durable_commands.give_up()
            return await self.resources.take_again(pool, self, self._durable_commands.held)
        while True:
            await start.passed()
            start.say_that_it_waits()
            resource = await self.resources.take(pool, self)
            if start.passes_pauses():
                return resource
            await self.resources.give_back(pool, self.note)

    def set_off(self, limits: Limits) -> bool:
        """Start it as `start` does, but without a task that waits.

        True if a task may do its work at once. Else its owner is told when it waits no longer. If
        it `is_starting` then, as a custom pool is yet to be asked, its task begins with
        `finish_start`.
        """
        start, pool = self._take_on(limits), limits.pool
        if isinstance(pool, CustomPool) and self._why_not_at(pool) is not None:
            return True  # Its task says so.
        if not start.set_off():
            return False
        self._pass(limits)
        return True

    def begin_without_task(self) -> None:
        """It was set off, and waits no longer. Called by its start."""
        assert self.limits is not None
        self._pass(self.limits)
        self._owner.job_waited(self)

    def _pass(self, limits: Limits) -> None:
        """Nothing that its start asks for holds its work back any more."""
        if not isinstance(limits.pool, CustomPool):
            self._start = None
            self._begin(limits.timeout)

    @property
    def is_starting(self) -> bool:
        """True from the call of `start` or `set_off` until its work begins, or never will."""
        return self._start is not None

    def _take_on(self, limits: Limits) -> JobStart:
        if self.limits is not None or self.state is not JobState.CREATED:
            raise UsageError(
                f"job {self.id} was started twice: call job.start once, and not at all where a"
                " decorator has a level"
            )
        least = self._owner.least_level(self)
        if least is not None and least > limits.level:
            limits = replace(limits, level=least)
        self.limits = limits
        start = self._start = JobStart(self)
        return start

    def _begin(self, timeout: Timeout) -> None:
        clock, began = self.host.clock, None
        if self._parts.commands is not None:
            began = self._parts.commands.began
        self.begun = Moment(clock, began)
        self.transition(JobState.RUNNING)
        if timeout is not None:
            limit = timeout if isinstance(timeout, timedelta) else timedelta(seconds=timeout)
            left = max(limit - self.begun.age, timedelta(0))
            self._own_parts.time_limit = TimeLimit(clock, left, lambda: self.stop(TimedOut(limit)))

    def approve(self) -> None:
        self.host.thread.check("job.approve")
        if self.state is not JobState.ENDED:
            self.is_approved = True
            if self.state is JobState.WAITING_FOR_CONFIRMATION and self._start is not None:
                self._start.wake()

    def look_again(self) -> None:
        """It may be paused now, or not any more."""
        if self._start is not None:
            self._start.wake()

    def wait_changed(self) -> None:
        """It waits for something else, in the same state. Called by its start."""
        self._owner.job_changed(self)

    def transition(self, state: JobState) -> None:
        """Go on to this state, and say so. Called by its start."""
        before = self.state
        if before is not state:
            self.state = state
            if state is not JobState.RUNNING:
                self.job_log.park()
            if before is JobState.CREATED and state is JobState.QUEUED:
                self._owner.job_queued(self)
            else:
                self._owner.job_changed(self)

    @to_be_entered
    @asynccontextmanager
    async def use_pool(self, pool: AnyPool, *, priority: int | None = None) -> AsyncIterator[Any]:
        check_pool(pool, "job.use_pool")
        if priority is not None:
            check_priority(priority, "job.use_pool")
        async with AsyncExitStack() as held:
            with ExitStack() as waiting:
                if not pool.has_room(self):
                    waiting.enter_context(self.waiting_for(f"a resource of pool {pool.label}"))
                acquired = (
                    pool.acquire(self, priority) if isinstance(pool, Pool) else pool.acquire(self)
                )
                resource = await held.enter_async_context(acquired)
            held.enter_context(self.host.waits.visiting(pool, self.id, self.host.clock.now()))
            yield resource

    @property
    def _waits_for_turn(self) -> bool:
        """True if it has to wait to run a command, as no more may run at once."""
        commands = self._parts.commands
        return commands is not None and commands.are_waiting

    @property
    def waits(self) -> tuple[str, ...]:
        """The things that it waits for in the middle of its work, in words for people."""
        waits = self.host.waits.of(self.id)
        if self._waits_for_turn:
            return (*waits, "its turn to run a command, as no more may run at once")
        return waits

    def waiting_for(self, what: Told) -> AbstractContextManager[None]:
        self.note(f"Waiting for {text_of(what)}")
        return self.host.waits.waiting(self.id, what)

    # Cancelling

    def on_cancel(self, hook: Hook) -> Callable[[], None]:
        self.host.thread.check("job.on_cancel")
        check_functions("job.on_cancel", hook=hook)
        return self.hooks.add(hook)

    def cancel(self, reason: str) -> None:
        self.host.thread.check("job.cancel")
        self.stop(Cancelled(reason))

    def hurry(self) -> None:
        """It takes too long to end: have its work cancelled once more, or the hook that runs."""
        self.hooks.hurry()
        if self.task is not None:
            self.task.cancel()

    def stop(self, why: Stopped) -> None:
        """Have it end, as soon as it can. Twice is fine: the first reason counts."""
        if self.stopped is not None or self.state is JobState.ENDED:
            return
        self.stopped = why
        start, self._start = self._start, None
        if start is not None:
            start.give_up()
            if start.is_set_off and self.holds_nothing:
                start.is_set_off = False
                self._owner.job_given_up(self)
                return
        self.note(str(why))
        parts = self._parts
        if parts.hooks is not None:
            parts.hooks.run(why.reason)
        if parts.commands is not None:
            parts.commands.end()
        if self.task is not None:
            self.task.cancel()
        if self.state is JobState.RUNNING:
            # Its work may take a while to end; a job that waits ends at once.
            self._owner.job_changed(self)
        elif start is not None and start.is_set_off:
            start.is_set_off = False
            self._owner.job_waited(self)

    async def recorded(self) -> bool:
        """Have it recorded, whatever comes of it: something is to be recorded with it. False if
        that can't be written now.
        """
        self._owner.job_has_more(self)
        return await self.host.commits.written()

    def _turn_waited(self) -> None:
        """Its commands have to wait for their turn, or need not any more."""
        limit = self.time_limit
        if limit is not None and self.commands.are_waiting:
            limit.pause()
        elif limit is not None:
            limit.go_on()
        self._owner.job_changed(self)
