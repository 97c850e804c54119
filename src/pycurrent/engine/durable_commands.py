"""The commands of a durable job, which outlive a killed engine: the next one goes on with them.

The work of such a job is done again from its beginning, by the engine that goes on with it. All
that it has done already stands in its journal: a command that has ended gives what it gave, one
that still runs is waited for, and nothing of either is run again. So the work gets to the place at
which it was, and goes on from there.

If it does something else than before, the commands that it does not ask for again would go on for
nothing. Then all of them are ended, and the work is run afresh, as a job of its own.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from contextvars import ContextVar
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import ClassVar, NoReturn, TypeVar

from pycurrent.engine.channel import Used
from pycurrent.engine.command import Command
from pycurrent.engine.commands import Commands
from pycurrent.engine.joblog import JobLog
from pycurrent.engine.journal import Entry, Held, Journal, parts_of
from pycurrent.engine.left_runs import LeftRun, end_reached
from pycurrent.engine.leftovers import JobLock
from pycurrent.engine.machine import Blame
from pycurrent.engine.once import given_once, type_of
from pycurrent.engine.pipe import enlarge
from pycurrent.engine.process import Durability, Process, Processes
from pycurrent.engine.spool import SpoolPump, held_by
from pycurrent.engine.supervisor import Report
from pycurrent.engine.tasks import uncancellable
from pycurrent.engine.turns import Turn
from pycurrent.engine.waits import Told
from pycurrent.errors import PycurrentError, UsageError
from pycurrent.term import FailureKind

T = TypeVar("T")

_PATIENCE = 5.0
"""Seconds for which a command that is new waits for those that are not asked for again yet."""

_ONCE: ContextVar[object] = ContextVar("once", default=None)
"""The commands of the job whose `once` is at work."""


class OutputLost(PycurrentError):
    """Not all that a command has printed could be kept."""

    blame = Blame.SHORTAGE
    kind = FailureKind.INFRA


class NotReplayed(PycurrentError):
    """The work of a job that goes on does something else than before."""

    blame = Blame.SHORTAGE
    kind = FailureKind.INFRA


class DurableCommands(Commands):
    """The commands of one durable job. Its hooks' own are not durable."""

    _hears_all: ClassVar = True
    """False if a command may print something of which nobody tells this engine."""

    __slots__ = (
        "_claimed",
        "_diverged",
        "_held",
        "_journal",
        "_lease",
        "_left",
        "_pumps",
        "_reattached",
        "_said_held",
        "_showing",
    )

    def __init__(
        self,
        processes: Processes,
        log: JobLog,
        tmp: Path,
        lock: JobLock,
        turn: Turn,
        lease: float,
        diverged: Callable[[], None],
        left: LeftRun | None = None,
        *,
        showing: Callable[[Told], AbstractContextManager[None]],
    ) -> None:
        """With what another engine has `left` the job goes on. `diverged` is called if it can't: it
        stops the job. `lease`: seconds. `showing` says what the job waits for, but for the log.
        """
        super().__init__(processes, log, tmp, lock, turn)
        self._lease = lease
        self._journal = None if left is None else left.journal
        self._left = left
        self._diverged = diverged
        self._claimed = asyncio.Event()
        self._reattached: dict[Entry, Process] = {}
        self._pumps: dict[Entry, SpoolPump] = {}
        self._held: dict[Entry, ExitStack] = {}
        """Commands that have to wait with what they print: as long as their stacks are open it is
        shown.
        """
        self._said_held: set[Entry] = set()
        """The ones of which the log tells."""
        self._showing = showing
        lock.keep()

    @property
    def began(self) -> datetime | None:
        return None if self._left is None else self._left.record.started

    def place_of(self, prefix: str) -> Path | None:
        return self.journal.place(prefix)

    @property
    def journal(self) -> Journal:
        """The journal of the job, which is made when it is first needed. Raises OSError."""
        if self._journal is None:
            self._lock.take()
            self._log.need_file()
            self._journal = Journal.begin(self._lock.folder)
            self._log.to_file().follow(self._journal.cursor)
        return self._journal

    @property
    def has_journal(self) -> bool:
        return self._journal is not None

    @property
    def is_replaying(self) -> bool:
        """True until all is asked for again that an earlier engine has begun."""
        return self._journal is not None and bool(self._journal.unclaimed)

    async def begin(self) -> None:
        """Attach this engine to what still runs of a job that goes on. Raises `NotReplayed` if
        something of it is lost.
        """
        if self._journal is not None and self._left is not None:
            await uncancellable(self._attach_in_turn(self._journal, self._left))

    async def _attach_in_turn(self, journal: Journal, left: LeftRun) -> None:
        """One job in each turn of the loop, as a thousand may go on at once."""
        async with self._processes.attaching:
            self._attach(journal, left)
            await asyncio.sleep(0)

    def _attach(self, journal: Journal, left: LeftRun) -> None:
        for entry in journal.unclaimed:
            found, ended = left.reached.pop(entry, None), entry.ended
            if found is not None:
                sock, locks = found
                self._lock.adopt(locks)
                process = self._processes.attach(sock, "a command", self._waking(entry))
                self._reattached[entry] = process
                self._running[process] = None
            elif ended is None:
                self._reaches_no_more(entry)
            if ended is not None and ended.how != "exited":
                self.give_up()
        self._log.to_file().follow(journal.cursor)
        self._look_whether_replayed()

    def _reaches_no_more(self, entry: Entry) -> None:
        """Nobody knows how a command has ended, or whether it has. Raises `NotReplayed`."""
        self.give_up()

    def hold(self, resource: object, *, goes_on: bool = True, is_place: bool = False) -> None:
        """Have the next engine know what the job holds of its pool, and whether that is a place.
        Raises OSError.
        """
        self.journal.hold(Held(resource, goes_on, is_place))

    @property
    def held(self) -> object:
        """The resource of the job under an earlier engine, as `hold` was told. Raises
        `NotReplayed`.
        """
        held = self.journal.held
        if held is None:
            self.give_up()
        return held.resource

    def give_up(self) -> NoReturn:
        """The job can't go on: it is run afresh."""
        self._diverged()
        raise NotReplayed("the work of the job can't go on where it was: it is run afresh")

    def _look_whether_replayed(self) -> None:
        """Have the log take the engine's lines again, once all is asked for."""
        if not self.is_replaying:
            self._log.to_file().caught_up()

    def check_replayed(self) -> None:
        if self.is_replaying and not self._ending:
            self.give_up()

    # Commands

    async def run(self, command: Command, waited: Callable[[], None]) -> None:
        if command.of_hook or self._ending:
            await super().run(command, waited)
            return
        async with self._in_turn(command, waited):
            await self._durably(command, has_output=False)

    async def output_of(self, command: Command, waited: Callable[[], None]) -> str:
        if command.of_hook or self._ending:
            return await super().output_of(command, waited)
        async with self._in_turn(command, waited):
            entry = await self._durably(command, has_output=True)
            return entry.out.read_bytes().decode(errors="replace")

    async def _durably(self, command: Command, *, has_output: bool) -> Entry:
        self._log.need_file()
        entry, is_new = await self._entry(command, has_output=has_output)
        if is_new:
            self._log.line(f"Exec: {command.shown}")
        # Then the log has said all of it.
        is_told = self.journal.cursor.is_done(entry.number)
        if not is_told:
            self._look_whether_replayed()
        try:
            status = await self._copied(command, entry, is_new=is_new, has_output=has_output)
            self._check(command, status)
        except BaseException as failed:
            if has_output:
                with suppress(OSError), entry.out.open("rb") as output:
                    self._log_of_failed(failed, output)
            raise
        finally:
            if is_told:
                self._look_whether_replayed()
        return entry

    async def _copied(
        self, command: Command, entry: Entry, *, is_new: bool, has_output: bool
    ) -> int:
        """The status of a command, once all that it has printed is in the log."""
        file, turns = self._log.to_file(), self._processes.spool_turns
        pump = self._pumps[entry] = SpoolPump(entry, file, self.journal.cursor, turns)
        if not is_new:
            pump.wake()
            self._say_held(entry)
        running = self._status_of(command, entry, is_new=is_new, has_output=has_output)
        is_quiet = False
        try:
            status = await (running if command.cancellable else uncancellable(running))
            # Its supervisor has told of all that it has printed, before it told of the end.
            is_quiet = is_new and self._hears_all and not pump.has_heard
        except BaseException:
            if is_new and not entry.has_begun:
                self.journal.withdraw(entry)
                pump.give_up()
            raise
        finally:
            self._count(self._used_by(entry))
            is_done = is_quiet and pump.finish_empty()
            # A job that does much again gives way to the rest of the loop.
            if not is_done and (not is_new or not pump.finish_short()):
                await uncancellable(pump.finished())
            del self._pumps[entry]
            self._set_held(entry, is_held=False)
            self._said_held.discard(entry)
        if is_quiet:
            return status
        ended = entry.ended
        if ended is not None and ended.how == "spool":
            raise OutputLost(f"not all that {command.shown} has printed was kept: the disk is full")
        return status

    async def _entry(self, command: Command, *, has_output: bool) -> tuple[Entry, bool]:
        """The entry of a command, and whether it is new."""
        if _ONCE.get() is self and self._lease:
            raise UsageError(
                f"{command.shown} is run within job.once of a durable job, which would wait for it"
                " when it goes on: commands are run once anyway, so run it before"
            )
        cwd = "" if command.cwd is None else str(command.cwd)
        changes = command.changes.items()
        journal = self.journal
        digest = journal.digest(
            parts_of(command.argv, cwd, changes, command.stdin, has_output=has_output)
        )
        entry = journal.claim(digest)
        if entry is not None:
            self._claimed.set()
            self._claimed = asyncio.Event()
            return entry, False
        while journal.unclaimed:
            try:
                async with asyncio.timeout(_PATIENCE):
                    await self._claimed.wait()
            except TimeoutError:
                self.give_up()
        return journal.new(digest), True

    async def _status_of(
        self, command: Command, entry: Entry, *, is_new: bool, has_output: bool
    ) -> int:
        process = self._reattached.pop(entry, None)
        if process is not None:
            return await self._ended(command, process)
        if not is_new:
            ended = entry.ended
            assert ended is not None
            return ended.status
        process = await self._begin_durably(command, entry, has_output=has_output)
        return await self._ended(command, process)

    def _used_by(self, entry: Entry) -> Used | None:
        """The resources that a command has used."""
        ended = entry.ended
        return None if ended is None else ended.used

    async def _begin_durably(self, command: Command, entry: Entry, *, has_output: bool) -> Process:
        most = self._processes.spool_most
        durable = Durability(entry.at, self._lease, self._waking(entry), most)
        with ExitStack() as closing:
            reader, writer = os.pipe()
            enlarge(reader)
            closing.callback(os.close, reader)
            closing.callback(os.close, writer)
            stdout = writer
            if has_output:
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
                stdout = os.open(f"{entry.at}.new/out", flags, 0o600)
                closing.callback(os.close, stdout)
            return await self._begin(command, stdout, writer, reader, durable)

    def _waking(self, entry: Entry) -> Callable[[Report], None]:
        def wake(report: Report) -> None:
            pump = self._pumps.get(entry)
            self._set_held(entry, is_held=report is Report.HELD)
            if pump is not None:
                pump.wake()
                self._say_held(entry)

        return wake

    def _set_held(self, entry: Entry, *, is_held: bool) -> None:
        """A command has to wait with what it prints, or goes on."""
        if is_held and entry not in self._held:
            self._held[entry] = ExitStack()
            self._held[entry].enter_context(self._showing(partial(held_by, entry)))
        elif not is_held and entry in self._held:
            self._held.pop(entry).close()

    def _say_held(self, entry: Entry) -> None:
        """Have the log say once that a command has to wait with what it prints, when all is asked
        for again.
        """
        if entry in self._held and entry not in self._said_held and not self.is_replaying:
            self._said_held.add(entry)
            self._log.line(
                "It waits with what it prints until this log has it: its spool takes as much as"
                " it may"
            )

    # The rest of the journal

    async def once(self, name: str, function: Callable[[], Awaitable[T]]) -> T:
        before = _ONCE.set(self)
        try:
            return await given_once(self.journal.given(name), function, type_of(function))
        finally:
            _ONCE.reset(before)

    async def noted(
        self, what: tuple[str, ...], function: Callable[[], Awaitable[T]], type: type[T]
    ) -> T:
        digest = self.journal.digest([b"noted", *map(os.fsencode, what)])
        return await given_once(self.journal.given(digest), function, type)

    def close(self) -> None:
        super().close()
        for entry in list(self._held):
            self._set_held(entry, is_held=False)
        if self._left is not None:
            end_reached(self._left.reached)  # It was told to end before it went on.
        if self._journal is not None:
            self._journal.close()
