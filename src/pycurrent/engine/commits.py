"""Writing down what an engine has to record. Where that fails, nothing new begins.

    working ──a commit fails──► held ──a commit succeeds──► working

While it is held no step is taken, so the pipeline sees no result that is not recorded; no job is
begun, as it would have no record; and a job that waits to start goes on waiting. Running jobs
continue, and their results stay in memory. The engine retries by its clock: at once and then less
and less often if another program holds the database's lock, and every `RETRY` if something else is
wrong, such as a full disk.

A lock that is held for moments is normal, and not reported.

A commit writes to the disk in a thread. Most are over in less than a millisecond, for which the
loop waits. If there is much to write, or the disk is slow or has to be waited for (the first commit
after a checkpoint is), a step pauses until the commit is done, and the loop goes on. Where many
jobs are to be started, the next ones are made in the meantime. Thousands of short jobs could begin
and end meanwhile, and the next commit would take the longer for it; so they wait, too, once there
is much to write.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, wait
from contextlib import suppress
from datetime import timedelta

from pycurrent.engine.clock import Clock, Moment, Timer
from pycurrent.engine.problems import Effect, Problem, Problems
from pycurrent.engine.quiescence import Quiescence
from pycurrent.store import Database, StoreBusy, StoreError

RETRY = timedelta(seconds=5)
"""How long after a commit that failed (the disk is full, say) the next is tried, at most."""
PATIENCE = timedelta(seconds=10)
"""How long the engine counts as busy while commits fail: `run --once` waits for it."""

MOMENT = 0.005
"""Seconds for which the loop waits for the disk, so that most steps take one turn of it."""

Pause = asyncio.Future[None] | None
"""The end for which a step waits that pauses; None if it only gives the loop a turn."""

MUCH = 400
"""Changes of jobs that have begun, which a commit writes in some 10 ms. While more wait for it, no
job begins: those that end meanwhile bring their results in one turn of the loop.
"""
AT_ONCE = 100
"""Jobs that begin in one turn of the loop, of those that have waited for a commit: some 10 ms."""

_FIRST_RETRY = timedelta(milliseconds=10)
_TOLD_AFTER = timedelta(seconds=1)
_LOOKED_AT_EVERY = 5.0
"""Seconds between two looks whether the files are there: an engine at rest writes nothing."""
_AT_REST_AFTER = 1.0
"""Seconds without a commit after which what was written is moved to where it stays."""
_TOPIC = "records"

_log = logging.getLogger(__name__)


class Commits:
    """The commits to one database, which it owns."""

    def __init__(
        self,
        store: Database,
        clock: Clock,
        problems: Problems,
        quiescence: Quiescence,
    ) -> None:
        self._store = store
        self._clock = clock
        self._problems = problems
        self._quiescence = quiescence
        self._told_of_resuming: list[Callable[[], None]] = []
        self._failing_since: Moment | None = None
        self._wait = _FIRST_RETRY
        self._retry: Timer | None = None
        self._retrying: Generator[Pause, None, bool] | None = None
        self._held: list[Callable[[], None]] = []
        self._behind: deque[Callable[[], None]] = deque()
        """Jobs that wait until there is little to write, the first ones first."""
        self._let_begin: set[Callable[[], None]] = set()
        """The jobs of these whose turn it is, until they have had it."""
        self._is_letting_begin = False
        self.lost = False
        """True if something could not be recorded at the very end."""
        self.awaited = 0
        """How many wait for the end of a commit, outside of steps."""
        self.moment = MOMENT
        """Seconds for which a commit in a step keeps the loop waiting."""
        quiescence.add_source(self._may_come_right)
        self._loop = asyncio.get_running_loop()
        # By the loop's time: this is about files, and no event of the pipeline's.
        self._look = self._loop.call_later(_LOOKED_AT_EVERY, self._look_again)
        self._rest: asyncio.TimerHandle | None = None
        self._written = self._tidied = 0

    @property
    def working(self) -> bool:
        """True if everything that should be recorded is, as far as is known."""
        return self._failing_since is None

    def commit(self) -> bool:
        """Write what is to be recorded. False if it can't be written, now.

        Waits for the disk; `in_step` does not. It leaves many ends of jobs that had not begun to
        that.
        """
        try:
            # While some fail, only all that is unsaved tells that they succeed again.
            self._store.commit(many_ends=not self.working)
        except StoreError as error:
            self._fail(error)
            return False
        self._succeed()
        return True

    def in_step(self, meanwhile: Callable[[], bool] | None = None) -> Generator[Pause, None, bool]:
        """Commit, as `commit` does, but pause if that takes longer than a moment.

        Resumed before the commit is done, it waits for that; closed, it leaves that to the next.
        `meanwhile` is called once while the thread is at work, and tells whether it did anything;
        what it records is for the next commit.
        """
        try:
            yield from self._write(meanwhile)
            if self._store.has_many_ends:
                yield from self._write(None)
        except StoreError as error:
            self._fail(error)
            return False
        self._succeed()
        return True

    def _write(self, meanwhile: Callable[[], bool] | None) -> Generator[Pause, None, None]:
        if (earlier := self._store.in_the_way) is not None:
            yield from self._done(earlier)
        writing = self._store.begin_commit()
        if writing is None:
            return
        if meanwhile is not None and meanwhile():
            yield None
        yield from self._done(writing)
        self._store.end_commit()
        if writing.exception() is not None:
            # Another commit, which somebody could not wait for, has met that.
            self._store.commit(many_ends=False)

    def _done(self, writing: Future[None]) -> Generator[Pause, None, None]:
        if self._store.writes_much or not wait((writing,), self.moment).done:
            yield self._end_of(writing)

    async def written(self) -> bool:
        """Commit, as `commit` does, and let the loop go on meanwhile."""
        committing = self.in_step()
        self.awaited += 1
        try:
            while True:
                try:
                    pause = next(committing)
                except StopIteration as ended:
                    return bool(ended.value)
                if pause is not None:
                    await pause
        finally:
            self.awaited -= 1

    def _end_of(self, writing: Future[None]) -> asyncio.Future[None]:
        ended = self._loop.create_future()

        def end() -> None:
            if not ended.done():
                ended.set_result(None)

        def tell(_: Future[None]) -> None:
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(end)

        writing.add_done_callback(tell)
        return ended

    def _succeed(self) -> None:
        if self._failing_since is not None:
            self._resume()
        if self._behind and not self._is_letting_begin:
            self._let_next_begin()
        if self._rest is None and self._store.written != self._tidied:
            self._rest = self._loop.call_later(_AT_REST_AFTER, self._tidy_at_rest)

    def _let_next_begin(self) -> None:
        """Let those begin that have waited for a commit, the first ones first: so many now, and in
        the next turns of the loop until there is much to write again.
        """
        # Jobs whose turn was the last one have begun, or were cancelled.
        self._let_begin.clear()
        room = max(0, MUCH - self._store.changed_jobs)
        for _ in range(min(AT_ONCE, room, len(self._behind))):
            again = self._behind.popleft()
            self._let_begin.add(again)
            again()
        self._is_letting_begin = bool(self._let_begin)
        if self._is_letting_begin:
            # Behind them: they begin in the next turn.
            self._loop.call_soon(self._let_next_begin)

    def check(self) -> None:
        """Find out whether the database is where it was."""
        try:
            self._store.check()
        except StoreError as error:
            self._fail(error)

    def on_resumed(self, resumed: Callable[[], None]) -> None:
        """Have `resumed()` called whenever commits succeed again, after some that failed."""
        self._told_of_resuming.append(resumed)

    def once_working(self, again: Callable[[], None]) -> None:
        """Have `again` called, once, when something new may begin."""
        self._held.append(again)

    def lets_begin(self, again: Callable[[], None]) -> bool:
        """True if a job may begin now. False while so much waits to be written that none should,
        and while others have waited for longer: `again` is called, once, when its turn has come,
        and has to ask in the next turn of the loop. A step brings that: each change of a job asks
        for one.
        """
        if again in self._let_begin:
            return True
        are_others = self._behind or self._let_begin
        if not are_others and self._store.changed_jobs < MUCH:
            return True
        self._behind.append(again)
        return False

    async def look_through(self) -> None:
        """Find out, beside all else, whether the database is damaged anywhere. A small one was
        looked through when it was opened.
        """
        if not self._store.is_large:
            return
        damage = await asyncio.to_thread(self._store.look_through)
        if damage is not None:
            self._store.damage = damage
            self.check()

    async def aclose(self) -> None:
        """Close the database, as `close` does. The loop goes on while the disk is waited for."""
        try:
            with suppress(StoreError):
                self._store.gathers_ends = False
                while (writing := self._store.begin_commit()) is not None:
                    if not wait((writing,), self.moment).done:
                        await self._end_of(writing)
                    self._store.end_commit()
                if self._store.has_long_log:
                    await asyncio.to_thread(self._store.tidy().join)
        finally:
            self.close()

    def close(self) -> None:
        """Close the database; what can't be written now is said, and lost."""
        self._look.cancel()
        if self._rest is not None:
            self._rest.cancel()
        if self._retry is not None:
            self._retry.cancel()
        self._retrying = None
        try:
            self._store.close()
        except StoreError as error:
            self.lost = True
            _log.error("%s", error)

    def _fail(self, error: StoreError) -> None:
        since = self._failing_since = self._failing_since or Moment(self._clock)
        if not isinstance(error, StoreBusy):
            self._wait = RETRY
        if not isinstance(error, StoreBusy) or since.age >= _TOLD_AFTER:
            message = f"nothing new is begun: {error}"
            self._problems.report(_TOPIC, Problem(error.brief, message, Effect.HELD))
        if self._retry is None:
            self._retry = self._clock.call_later(self._wait, self._again)
            self._wait = min(2 * self._wait, RETRY)
        self._quiescence.notify()

    def _resume(self) -> None:
        self._failing_since = None
        self._wait = _FIRST_RETRY
        self._problems.clear(_TOPIC)
        held, self._held = self._held, []
        for again in held:
            again()
        for resumed in self._told_of_resuming:
            resumed()

    def _again(self) -> None:
        self._retry = None
        # A commit with nothing to write finds nothing wrong.
        self.check()
        if self._retry is None:
            self._retrying = self.in_step()
            self._go_on()

    def _go_on(self) -> None:
        pause = None if self._retrying is None else next(self._retrying, None)
        if pause is not None:
            pause.add_done_callback(lambda _: self._go_on())

    def _look_again(self) -> None:
        self._look = self._loop.call_later(_LOOKED_AT_EVERY, self._look_again)
        self.check()

    def _tidy_at_rest(self) -> None:
        """Have the database's file hold everything, once nothing was written for a while."""
        self._rest = None
        written = self._store.written
        if written == self._written:
            self._store.tidy()
            self._tidied = written
        else:
            self._written = written
            self._rest = self._loop.call_later(_AT_REST_AFTER, self._tidy_at_rest)

    def _may_come_right(self) -> bool:
        since = self._failing_since
        return since is not None and since.age < PATIENCE
