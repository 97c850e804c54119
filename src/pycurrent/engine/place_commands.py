"""The commands of a job at another place, each of which a relay here stands for.

To the engine the relay is a durable command: it has a run folder, a spool and a journal, and the
next engine finds it when this one was killed. The command there is known by the job's token and its
name in the journal; to begin it twice is as good as once. So a relay that was killed is just begun
again. See `relay.py` in the room `places` for the rest.

A job that is not durable has a journal, too, but its relays end with the engine, and end what runs
there.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from pycurrent.engine.channel import LeftBehind, Used
from pycurrent.engine.command import Command
from pycurrent.engine.commands import Commands
from pycurrent.engine.durable_commands import DurableCommands, OutputLost
from pycurrent.engine.fence import Fence, hook_prefix, is_at_work
from pycurrent.engine.joblog import JobLog
from pycurrent.engine.journal import Entry
from pycurrent.engine.kept_folders import Kept, Terminal
from pycurrent.engine.leaving import Leaving
from pycurrent.engine.left_runs import LeftRun
from pycurrent.engine.leftovers import JobLock
from pycurrent.engine.not_started import blame_of, explain, not_started
from pycurrent.engine.place import Place, PlaceLost
from pycurrent.engine.place_asking import ask
from pycurrent.engine.place_files import PlaceFiles
from pycurrent.engine.process import Process, Processes
from pycurrent.engine.supervisor import StartStage
from pycurrent.engine.tasks import cancelled
from pycurrent.engine.tempdirs import Trash
from pycurrent.engine.turns import Turn
from pycurrent.engine.waits import Told
from pycurrent.errors import UsageError

_LONGER = 60.0
"""Seconds that a relay has, beyond the time that the end of its command may take."""
_SILENCE = 45.0
"""Seconds without a word of the relay after which an agent takes it for gone, at most."""
_GRACE = 5.0
_MARGIN = 10.0
"""Seconds that a command may be there for longer than its lease and the rest say."""
_LOOK = 1.0
"""Seconds between two looks at what a relay waits for."""
_ATTEMPTS = 5
"""How often a relay is begun that has been killed."""


class PlaceCommands(DurableCommands):
    """The commands of one job at a place."""

    _hears_all = False  # A relay may be killed, and another one goes on with its spool.

    __slots__ = ("_fence", "_files", "_here", "_hooks", "_leaving", "_place", "_trash", "_waiting")

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
        waiting: Callable[[Told], AbstractContextManager[None]],
        trash: Trash,
        leaving: Leaving,
    ) -> None:
        """With `lease` 0 they end with the engine. `waiting` says what the job waits for, and
        `trash` removes large folders on the engine's machine. `leaving` tells places of its end.
        """
        super().__init__(processes, log, tmp, lock, turn, lease, diverged, left, showing=showing)
        self._place: Place | None = None
        self._files: PlaceFiles | None = None
        self._fence: Fence | None = None
        self._hooks = 0
        self._waiting = waiting
        self._trash = trash
        self._leaving = leaving
        self._here = Commands(processes, log, tmp, lock, turn)

    @property
    def here(self) -> Commands:
        return self._here

    @property
    def running(self) -> frozenset[object]:
        return super().running | self._here.running

    def end(self) -> None:
        self._here.end()
        super().end()

    async def outlive(self) -> None:
        await self._here.outlive()
        await super().outlive()

    def move_to(self, place: Place) -> None:
        """They run at this place from here on."""
        self._place = place
        self._leaving.uses(place)
        self.terminal.write(self.journal.folder)
        known = Fence.read(self.journal.folder)
        bound = 0.0 if known is None else known.bound
        self._fence = Fence(str(place), tuple(place.ending(self.journal.token)), bound)
        self._files = PlaceFiles(self, self.journal.token, self._trash)

    @property
    def terminal(self) -> Terminal:
        """The way to the job's folders, for people."""
        place = self._place
        assert place is not None
        argv = tuple(place.terminal())
        return Terminal(str(place), argv, self.journal.token, place.known_as)

    @property
    def there(self) -> PlaceFiles:
        """The files at the place."""
        if self._files is None:
            raise UsageError("a job has its place once job.start has given it")
        return self._files

    @property
    def tmp(self) -> Path:
        """Where temporary files are made on the engine's machine."""
        return self._tmp

    async def leave(self) -> Kept | None:
        place = self._place
        if self._files is None or place is None:
            return None
        if place.known_as is None:
            await self._files.leave()
        elif (telling := self._leaving.much_to_tell(place)) is not None:
            with self._waiting(f"{place}: it removes what other jobs have left there"):
                await asyncio.wait([telling])
        kept = self._files.kept
        return None if kept is None else (kept, self.terminal)

    @property
    def have_left_something(self) -> bool:
        # Of a job that could not go on it is the one that an earlier engine has written.
        return self._journal is not None and is_at_work(self._journal.folder)

    def _bound_by(self, seconds: float) -> None:
        """A command may be there for so long after the last word of its relay. Raises OSError."""
        fence = self._fence
        if fence is not None and seconds > fence.bound:
            self._fence = replace(fence, bound=seconds)
            self._fence.write(self.journal.folder)

    # Relays

    def _relayed(self, command: Command, name: str, folder: Path, *, has_output: bool) -> Command:
        """The relay that stands for a command, to be run in a folder."""
        grace = _GRACE if command.grace is None else command.grace
        place = self._place
        assert place is not None
        relay, lease = place.relay(), max(self._lease, place.lease)
        silence = min(_SILENCE, 5 * lease)
        self._bound_by(silence + lease + grace + _MARGIN)
        head = relay.request(
            {
                "do": "run",
                "patience": lease,
                "silence": silence,
                "job": self.journal.token,
                "name": name,
                "begin": True,
                "argv": command.argv,
                "env": dict(command.changes),
                "caches": [] if command.of_hook else sorted(self.there.caches),
                "cwd": None if command.cwd is None else str(command.cwd),
                "grace": grace,
                "lease": lease,
                "most": self._processes.spool_most,
                "output": has_output,
            }
        )
        # It ends when the command there has ended, or must have.
        longest = grace + lease + silence + _LONGER
        stdin = head + (command.stdin or b"")
        relayed = Command(relay.argv, cwd=folder, stdin=stdin, grace=longest, show=command.shown)
        relayed.cancellable, relayed.of_hook = command.cancellable, command.of_hook
        return relayed

    async def ask(self, request: dict[str, object]) -> Any:
        """Ask for something else than a command; gives the answer. Raises OSError for what the
        system there says, and `PlaceLost`.
        """
        place = self._place
        assert place is not None
        whole = {"patience": max(self._lease, place.lease), "silence": _SILENCE, **request}
        asked = ask(self._processes, self._tmp, place.relay(), whole, [self._lock.take()])
        return self._answer(await asked)

    def _answer(self, end: dict[str, Any]) -> Any:
        if "answer" in end:
            return end["answer"]
        if end.get("errno") is not None:
            raise OSError(end["errno"], end["error"])
        raise self._lost(end)

    def _lost(self, end: dict[str, Any]) -> PlaceLost:
        match end:
            case {"not_started": why}:
                return PlaceLost(f"{self._place} can't be reached: {why}")
            case {"silent": why}:
                return PlaceLost(f"{self._place} has not been heard of for too long: {why}")
            case {"lost": why}:
                return PlaceLost(f"what {self._place} was asked for is lost: {why}")
            case {"error": why}:
                return PlaceLost(f"{self._place} can't do that: {why}")
            case _:
                return PlaceLost(f"{self._place} does not know the command any more")

    # Commands

    async def run(self, command: Command, waited: Callable[[], None]) -> None:
        if command.of_hook or self._ending:
            with self._as_hook(command, has_output=False) as relay:
                await Commands.run(self, relay, waited)
        else:
            await super().run(command, waited)

    async def output_of(self, command: Command, waited: Callable[[], None]) -> str:
        if command.of_hook or self._ending:
            with self._as_hook(command, has_output=True) as relay:
                return await Commands.output_of(self, relay, waited)
        return await super().output_of(command, waited)

    @contextmanager
    def _as_hook(self, command: Command, *, has_output: bool) -> Iterator[Command]:
        """The relay for a command that tidies up, in a block that runs it: it is in no journal."""
        from tempfile import TemporaryDirectory  # few jobs tidy up at another place

        self._hooks += 1
        with TemporaryDirectory(dir=self.journal.folder, prefix=hook_prefix(self._hooks)) as folder:
            name = f"hook-{self._hooks}"
            yield self._relayed(command, name, Path(folder), has_output=has_output)
            end = _read(Path(folder) / "end")
            self._count(_used_in(end))
            status = self._status_from(command, {"lost": "its relay"} if end is None else end)
        self._check(command, status)

    def _reaches_no_more(self, entry: Entry) -> None:
        """Its relay was killed, or this machine was started again: another one takes it up."""

    async def _status_of(
        self, command: Command, entry: Entry, *, is_new: bool, has_output: bool
    ) -> int:
        process = self._reattached.pop(entry, None)
        for _ in range(_ATTEMPTS):
            if process is None and _read(entry.folder / "end") is None:
                if not is_new:
                    await self._prepare_again(entry)
                process = await self._begin_durably(command, entry, has_output=has_output)
            if process is not None:
                await self._relay_ended(command, process, entry)
            end = _read(entry.folder / "end")
            if end is not None:
                return self._status_from(command, end)
            process, is_new = None, False
        raise PlaceLost(f"the relay that stands for a command at {self._place} is killed each time")

    async def _begin_durably(self, command: Command, entry: Entry, *, has_output: bool) -> Process:
        relay = self._relayed(command, entry.folder.name, entry.folder, has_output=has_output)
        return await super()._begin_durably(relay, entry, has_output=has_output)

    def _used_by(self, entry: Entry) -> Used | None:
        return _used_in(_read(entry.folder / "end"))

    def _used_by_process(self, process: Process) -> Used | None:
        """That is a relay: what it uses is none of the job's."""

    async def _prepare_again(self, entry: Entry) -> None:
        """Have a run folder as one whose command nobody has begun, with what it has printed."""
        pump = self._pumps.get(entry)
        if pump is not None:
            await pump.settled()
        for name in ("socket", "status", "state"):
            (entry.folder / name).unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            entry.folder.rename(f"{entry.folder}.new")

    async def _relay_ended(self, command: Command, process: Process, entry: Entry) -> None:
        watching = asyncio.create_task(self._watch(entry.folder / "state"))
        try:
            await self._ended(command, process)
        finally:
            await cancelled(watching)

    async def _watch(self, state: Path) -> None:
        """Say that it waits for a connection or a cache folder, while it does."""
        said: object = ""
        with ExitStack() as waiting:
            while True:
                await asyncio.sleep(_LOOK)
                reason = _read(state) or ""
                match said, reason:
                    case (str(), {"cache": name}):
                        waiting.close()
                        what = f"the folder of cache {name} at {self._place}"
                        waiting.enter_context(self._waiting(f"{what}: other commands use it"))
                    case ("" | {"cache": _}, str(why)) if why:
                        waiting.close()
                        what = f"the connection to {self._place}"
                        waiting.enter_context(self._waiting(f"{what}: {why}"))
                    case (str(), "") if said:
                        waiting.close()
                        self._log.line(f"The connection to {self._place} is there again")
                    case (_, "") if said:
                        waiting.close()
                said = reason

    def _status_from(self, command: Command, end: dict[str, Any]) -> int:
        """The status that a relay has told."""
        match end:
            case {"status": int(status), "how": str(how)}:
                return self._known_status(command, status, how, end.get("left"))
            case {"not_started": [int(stage), int(number)]}:
                at = StartStage(stage)
                why = explain(command.argv[0], command.cwd, at, number)
                raise not_started(command.argv[0], f"{why}, at {self._place}", blame_of(at, number))
            case _:
                raise self._lost(end)

    def _known_status(self, command: Command, status: int, how: str, left: Any) -> int:
        if how == "lease":
            raise PlaceLost(f"{command.shown} was ended at {self._place}: its lease was over")
        if how == "spool":
            raise OutputLost(
                f"not all that {command.shown} has printed was kept: the disk of {self._place} is"
                " full"
            )
        if left is not None:
            self._log.line(f"Ended {LeftBehind(left[0], tuple(left[1]))}")
        return status


def _used_in(end: Any) -> Used | None:
    """The resources that a command has used there, as a relay has told."""
    match end:
        case {"used": [int(milliseconds), int(kibibytes)]}:
            return Used.of(milliseconds, kibibytes)
        case _:
            return None


def _read(path: Path) -> Any:
    """The JSON that a relay has written to a file; None if it has not."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
