"""Asks operations whether the results that they have made earlier are still there.

Files are deleted, images are pruned, disks are not mounted any more, and the records don't notice.
An operation that can tell defines `still_there` (see `CanTell` in `operation_type.py`). It is asked
about a result that an earlier engine has left when that is first needed, and about any when
somebody wants to know. Meanwhile the instance is in the state `Checking`.

    gathered ──flush──► waiting ──► asked ──► answered
                           ▲           │
                           └── pausing ◄── nobody knows: taken as there

A *question* is about one result, or about many of equal operations that can answer at once. No
more than `AT_ONCE` are asked at the same time. Where one fails or takes too long, nobody knows: the
results count as there, people are told, and it is asked again after a pause.

No instance of another operation has anything in here.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Hashable, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from msgspec import Struct

from pycurrent.cache.operation_type import AnyOperation, Key, OperationType
from pycurrent.cache.pauses import pause_before
from pycurrent.cache.states import Checking, Known, Result
from pycurrent.engine.clock import Timer
from pycurrent.engine.open_engine import OpenEngine
from pycurrent.engine.problems import Effect, Problem
from pycurrent.engine.tasks import leave_alone
from pycurrent.term import Ok, shown

AT_ONCE = 16
"""How many questions an engine asks at the same time."""
MOST = 500
"""How many results one question is about at most."""
PATIENCE = timedelta(seconds=60)
"""How long the answer to a question may take."""
FIRST_PAUSE = timedelta(seconds=30)
"""The pause before a question without an answer is asked again; each further one is twice as long,
up to five minutes.
"""


class Holder(Protocol):
    """The holder of a result that may be lost: an instance."""

    op_type: OperationType
    key: Key

    def found(self, *, is_there: bool) -> None:
        """It is known now, or taken as known, whether the result is there. Between steps."""


class Doubt(Struct, frozen=True):
    """Nobody knows whether a result is still there."""

    why: str
    again: datetime
    """When that is asked again."""


class _Question:
    """A question about the results of some holders, which goes on until none wants an answer."""

    __slots__ = ("attempt", "doubt", "holders", "operation", "task", "timer")

    def __init__(self, operation: AnyOperation, holders: dict[Holder, Result]) -> None:
        self.operation = operation
        self.holders = holders
        self.attempt = 1
        self.doubt: Doubt | None = None
        """The reason for which the last attempt has found nothing out."""
        self.task: asyncio.Task[None] | None = None
        self.timer: Timer | None = None


class StillThere:
    """The questions of one cache."""

    def __init__(self, engine: OpenEngine) -> None:
        self._engine = engine
        self._gathered: dict[Holder, tuple[AnyOperation, Result]] = {}
        self._questions: dict[Holder, _Question] = {}
        self._waiting: deque[_Question] = deque()
        self._tasks: dict[asyncio.Task[None], _Question] = {}
        self._answers: dict[tuple[str, str], tuple[datetime, bool]] = {}
        """The last answer about a key: for the result of which date, and whether it was there."""
        self._doubtful: Counter[str] = Counter()
        """How many results of each operation nobody knows about."""
        self._busy = engine.busy_token()
        self._is_closing = False
        engine.on_stop(self.aclose)

    def known(
        self, op_type: OperationType, key: Key, job_id: str, known: Known
    ) -> Known | Checking:
        """The state that an instance begins with whose result a job has left, of an operation that
        can tell.
        """
        finished, was_there = self._answers.get((op_type.id, key.digest), (None, False))
        if not known.result.can_be_lost:
            return known
        if finished == known.result.finished:
            is_sure = was_there
        else:
            is_sure = not self._engine.store.is_of_earlier_engine(job_id)
        return known if is_sure else Checking(known.result)

    def doubt(self, holder: Holder) -> Doubt | None:
        """The doubt about the result of a holder that is taken as there."""
        question = self._questions.get(holder)
        return None if question is None else question.doubt

    def ask(self, holder: Holder, operation: AnyOperation, result: Result) -> None:
        """Ask about the result of a holder, with all others of this step: after `flush`. If that is
        being asked, nothing happens.
        """
        question = self._questions.get(holder)
        if question is not None:
            if question.timer is None:
                return
            self.leave(holder)
        self._gathered[holder] = operation, result

    def leave(self, holder: Holder) -> None:
        """The holder has another result, or needs none. It is fine if nothing was asked."""
        self._gathered.pop(holder, None)
        question = self._questions.pop(holder, None)
        if question is None:
            return
        del question.holders[holder]
        if question.doubt is not None:
            self._doubt_less(holder.op_type.id)
        if not question.holders:
            self._drop(question)

    def _drop(self, question: _Question) -> None:
        if question.task is not None:
            question.task.cancel()
        elif question.timer is not None:
            question.timer.cancel()

    def flush(self) -> None:
        """Ask what was gathered in the step."""
        if not self._gathered:
            return
        gathered, self._gathered = self._gathered, {}
        together: dict[Hashable, list[_Question]] = {}
        for holder, (operation, result) in gathered.items():
            of_same = together.setdefault(_sameness(holder, operation), [])
            if not of_same or len(of_same[-1].holders) == MOST:
                of_same.append(_Question(operation, {}))
                self._waiting.append(of_same[-1])
            of_same[-1].holders[holder] = result
            self._questions[holder] = of_same[-1]
        self._go_on()

    def _go_on(self) -> None:
        while self._waiting and len(self._tasks) < AT_ONCE and not self._is_closing:
            question = self._waiting.popleft()
            if not question.holders:
                continue
            name = f"is it still there: {question.operation.id}"
            question.task = self._engine.loop.create_task(self._put(question), name=name)
            self._tasks[question.task] = question
            question.task.add_done_callback(self._ended)
        if self._tasks:
            self._busy.acquire()
        else:
            self._busy.release()

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            self._engine.crash(error)
        self._go_on()

    # From a question to its answers

    async def _put(self, question: _Question) -> None:
        holders = dict(question.holders)
        answers = await self._answered(question.operation, holders)
        await self._engine.between_steps()
        question.task = None
        if isinstance(answers, str):
            self._pause(question, answers)
            return
        for (holder, result), is_there in zip(holders.items(), answers, strict=True):
            if holder in question.holders:
                self.leave(holder)
                self._answers[holder.op_type.id, holder.key.digest] = result.finished, is_there
                holder.found(is_there=is_there)

    async def _answered(
        self, operation: AnyOperation, holders: dict[Holder, Result]
    ) -> Sequence[bool] | str:
        """The answers; a text says why there are none."""
        limit = asyncio.timeout(None)
        try:
            async with limit:
                timer = self._engine.clock.call_later(PATIENCE, lambda: limit.reschedule(0))
                try:
                    return await _ask(operation, holders)
                finally:
                    timer.cancel()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return "it was cancelled"
        except Exception as error:
            if limit.expired():
                return f"it does not answer within {PATIENCE.seconds} seconds"
            return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__

    def _pause(self, question: _Question, why: str) -> None:
        """Take the results as there, and ask again later."""
        question.attempt += 1
        pause = pause_before(question.attempt, FIRST_PAUSE)
        clock = self._engine.clock
        is_new = question.doubt is None
        question.doubt = Doubt(why, clock.now() + pause)
        question.timer = clock.call_later(pause, lambda: self._again(question))
        for holder in list(question.holders):
            if is_new:
                self._doubt_more(holder.op_type.id, why)
            holder.found(is_there=True)

    def _again(self, question: _Question) -> None:
        question.timer = None
        self._waiting.append(question)
        self._go_on()

    def _doubt_more(self, op: str, why: str) -> None:
        self._doubtful[op] += 1
        if self._doubtful[op] == 1:
            message = (
                f"operation {op!r} can't tell whether its results are still there: they are taken"
                f" as there, and it is asked again from time to time: {why}"
            )
            brief = "nobody knows whether some results are still there"
            self._engine.problems.report(_topic(op), Problem(brief, message, Effect.TOLD))

    def _doubt_less(self, op: str) -> None:
        self._doubtful[op] -= 1
        if not self._doubtful[op]:
            del self._doubtful[op]
            self._engine.problems.clear(_topic(op))

    async def aclose(self) -> None:
        """Ask no more. Twice is fine."""
        self._is_closing = True
        self._waiting.clear()
        for question in set(self._questions.values()):
            if question.timer is not None:
                question.timer.cancel()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            _, left = await asyncio.wait(tasks, timeout=self._engine.stop_grace)
            for task in left:
                task.remove_done_callback(self._ended)
                leave_alone(task)
        self._busy.close()


def _topic(op: str) -> str:
    return f"still there {op}"


def _sameness(holder: Holder, operation: AnyOperation) -> Hashable:
    """Equal for those that one question can be about."""
    if not holder.op_type.can_tell_of_many:
        return id(holder)
    try:
        hash(operation)
    except TypeError:
        return id(operation)
    return type(operation), operation


async def _ask(operation: Any, holders: dict[Holder, Result]) -> Sequence[bool]:
    """Ask about all. Raises what the operation raises, and TypeError for what is not an answer."""
    pairs = []
    for holder, result in holders.items():
        assert isinstance(result.outcome, Ok)
        op_type = holder.op_type
        pairs.append((op_type.given_key(holder.key), op_type.given_outcome(result.outcome.value)))
    if not op_type.can_tell_of_many:
        ((key, outcome),) = pairs
        answers = [await operation.still_there(key, outcome)]
        what = f"still_there returned {shown(answers[0])}, not True or False"
    else:
        given = await operation.still_there_many(pairs)
        answers = list(given)
        what = f"still_there_many returned {shown(given)}, not {len(pairs)} times True or False"
    if len(answers) != len(pairs) or not all(isinstance(answer, bool) for answer in answers):
        raise TypeError(what)
    return answers
