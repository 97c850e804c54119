"""The deliveries of webhooks: noted on disk before they are answered, and their work done once.

    verified ──► noted, on disk ──► answered ──► its work begins ──► is done, on disk
        │                               │          ▲     │  ▲
        └── known: dropped              └─ killed ─┘     └──┘ failures that may pass: after a pause

A plugin that has verified a delivery notes it here. If that can't be written, `note` raises
`NotNoted`: then it is answered with the status 503, so that it is sent again. Deliveries that come
together share a commit. The work of one sender is done in order, one at a time; the next engine
does the work that a killed one has left, from how far it has come (`DueWork.note`).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING

from msgspec.structs import replace

from pycurrent.engine.clock import Clock
from pycurrent.engine.commits import Commits
from pycurrent.engine.tasks import cancelled, end_if_cancelled
from pycurrent.errors import PycurrentError
from pycurrent.store import DeliveryRecord, StoreError
from pycurrent.term import Failure, FailureKind

if TYPE_CHECKING:
    from pycurrent.engine.open_engine import OpenEngine
    from pycurrent.store.delivery_table import DeliveryTable

_PATIENCE = 0.9
"""Seconds, by the loop's time, that a sender waits for the disk: forges want answers soon."""
_MOST = 10_000
"""Deliveries from one sender whose work may wait: more are not taken."""
_PAUSES = tuple(timedelta(seconds=min(10 * 2**attempt, 600)) for attempt in range(9))
"""The pauses after failures that may pass: an hour, all in all."""

_log = logging.getLogger(__name__)


class NotNoted(PycurrentError):
    """A delivery could not be noted: it has to be sent again."""


class DueWork:
    """The work of a delivery, which is to be done."""

    def __init__(self, table: DeliveryTable, record: DeliveryRecord) -> None:
        self._table = table
        self.record = record

    @property
    def text(self) -> str:
        """The work that is left, as it was noted last."""
        return self.record.work or ""

    def note(self, text: str) -> None:
        """Note how far it has come. All that is recorded up to the next `await` is in the same
        commit: a killed engine has done both or neither.
        """
        self._set(replace(self.record, work=text))

    def end(self, now: datetime) -> None:
        """It is done, or given up."""
        self._set(replace(self.record, work=None, done=now))

    def _set(self, record: DeliveryRecord) -> None:
        self.record = record
        self._table.set(record)


Work = Callable[[DueWork], Awaitable[None]]


class Deliveries:
    """The deliveries to one engine: a service of it. Belongs to the thread of the event loop."""

    def __init__(self, engine: OpenEngine) -> None:
        self._table = engine.store.deliveries
        self._clock = engine.clock
        self._records = _Records(engine.commits, self._table)
        self._workers: dict[str, _Worker] = {}
        engine.on_stop(self.aclose)

    @property
    def unfinished(self) -> int:
        """How many deliveries there are whose work is to be done."""
        return sum(len(worker.due) for worker in self._workers.values())

    def serve(self, sender: str, work: Work) -> None:
        """Have `work(due)` do the work of a sender's deliveries, from those on that earlier engines
        have left. A Failure of kind INFRA has it called again later; any other error ends it, and
        is logged. Twice for one sender changes nothing.
        """
        if sender not in self._workers:
            left = self._table.unfinished(sender)
            worker = _Worker(self._records, self._clock, work)
            self._workers[sender] = worker
            for record in left:
                worker.add(DueWork(self._table, record))

    async def note(
        self,
        sender: str,
        id: str,
        *,
        event: str,
        person: str | None = None,
        work: str | None = None,
    ) -> bool:
        """Note a delivery from a sender that is served, by the sender's `id` for it. On disk when
        it returns. False if it is known: then nothing is done.

        `work` is what it asks for, as text; None for nothing. Raises `NotNoted` if it can't be
        written within a second.
        """
        worker, key = self._workers[sender], (sender, id)
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._records.working()
                is_new = not self._table.knows(key)
                if is_new and work is not None and len(worker.due) >= _MOST:
                    raise NotNoted(f"the work of {_MOST:,} deliveries from {sender} waits already")
                if is_new:
                    now = self._clock.now()
                    record = DeliveryRecord(
                        sender=sender,
                        id=id,
                        event=event,
                        person=person,
                        received=now,
                        work=work,
                        done=now if work is None else None,
                    )
                    self._table.set(record)
                    if work is not None:
                        worker.add(DueWork(self._table, record))
                await self._records.written(key)
        except (TimeoutError, StoreError) as error:
            raise NotNoted(f"a delivery from {sender} can't be recorded now") from error
        return is_new

    async def aclose(self) -> None:
        """Give up the work: the next engine does it. Twice is fine."""
        for worker in self._workers.values():
            await worker.aclose()


class _Records:
    """Writes what is recorded of deliveries."""

    def __init__(self, commits: Commits, table: DeliveryTable) -> None:
        self._commits = commits
        self._table = table
        self._turn = asyncio.Lock()
        self._resumed: asyncio.Event | None = None

    async def working(self) -> None:
        """Wait until records can be written, as far as is known."""
        while not self._commits.working:
            if self._resumed is None:
                self._resumed = asyncio.Event()
                self._commits.once_working(self._resume)
            await self._resumed.wait()

    def _resume(self) -> None:
        resumed, self._resumed = self._resumed, None
        assert resumed is not None
        resumed.set()

    async def written(self, key: tuple[str, str]) -> None:
        """Wait until the delivery with this key is on disk, as it is now."""
        while not self._table.is_written(key):
            # A commit writes the deliveries of all that wait for their turn.
            async with self._turn:
                await asyncio.sleep(0)  # for those that have come at the same time
                if not self._table.is_written(key) and not await self._commits.written():
                    await self.working()


class _Worker:
    """Does the work of the deliveries from one sender."""

    def __init__(self, records: _Records, clock: Clock, work: Work) -> None:
        self.due: deque[DueWork] = deque()
        self._records = records
        self._clock = clock
        self._work = work
        self._task: asyncio.Task[None] | None = None

    def add(self, due: DueWork) -> None:
        self.due.append(due)
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def aclose(self) -> None:
        if self._task is not None:
            await cancelled(self._task)

    async def _run(self) -> None:
        while self.due:
            due = self.due[0]
            # One that was answered 503 may be written later all the same.
            await self._records.written(due.record.key)
            await self._do(due)
            due.end(self._clock.now())
            self.due.popleft()
            await self._records.written(due.record.key)
        self._task = None

    async def _do(self, due: DueWork) -> None:
        what = f"the work of the delivery {due.record.id} from {due.record.sender}"
        for pause in chain(_PAUSES, (None,)):
            try:
                await self._work(due)
                return
            except Exception as error:
                end_if_cancelled()
                may_pass = isinstance(error, Failure) and error.kind is FailureKind.INFRA
                if pause is None or not may_pass:
                    _log.warning("%s has failed, and is given up: %s", what, error)
                    return
                _log.warning("%s is tried again in %s: %s", what, pause, error)
                await self._clock.sleep(pause)
