"""What an instance should do, told as simply as possible: one key, one operation, some users.

The model knows no steps, no jobs and no database: after each thing that happens it says at once
where everything will have come to rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pycurrent.engine import Urgency
from pycurrent.term import Active, Activity, Failed, FailureKind, Ok, Output

CANCELLED = Failed("Cancelled: enough", kind=FailureKind.CANCELLED)


@dataclass(frozen=True)
class Wish:
    """What one user wants."""

    value: str
    valid_for: timedelta | None


@dataclass
class Record:
    """A build in the history; without an outcome it was interrupted."""

    build: int
    target: str | None
    outcome: Output[str] | None
    finished: datetime
    rebuild: bool = False
    attempt: int = 1
    engine: int = 0
    """How many engines there were before the one that ran it."""
    version: int | None = None
    """The version of the operation that ran."""


@dataclass
class Due:
    """The next attempt at what has failed."""

    attempt: int
    target: str | None
    at: datetime


@dataclass
class Doubt:
    """Nobody could tell whether the last result is still there."""

    at: datetime
    """When that is asked again."""
    pause: timedelta


@dataclass
class Memory:
    """The outcome that is reported; one that is not fresh only stands in for the next."""

    target: str | None
    outcome: Output[str]
    finished: datetime
    fresh: bool = True
    unsure: bool = False
    """Whether the operation is to be asked if it is still there."""
    doubt: Doubt | None = None


@dataclass
class Running:
    target: str | None
    urgency: Urgency
    confirmed: bool = True
    """Whether nobody has to confirm it any more."""
    begun: bool = False
    before: Memory | None = None
    """What was known, and is still if it never begins."""
    attempt: int = 1
    due: Due | None = None
    """The attempt that was due before it, and is still if it never begins."""
    abandoned: bool = False
    cancelled: bool = False
    is_held: bool = False
    """Whether it is a lookup that nobody has had to do with: it leaves a record only by its result.
    """


@dataclass
class Model:
    has_value: bool
    auto_cancel: bool
    latched: bool
    now: datetime
    wishes: list[Wish | None]
    lookup: bool = False
    stubborn: bool = False
    guarded: bool = False
    """Whether runs wait for confirmation."""
    all_paused: bool = False
    """Whether everything is paused."""
    paused: set[int] = field(default_factory=set)
    """The users whose stages are paused."""
    can_tell: bool = False
    """Whether the operation can tell if a result is still there."""
    lost: bool = False
    """Whether the last thing made is gone."""
    knows: bool = True
    """Whether the operation gets to know that."""
    answers: dict[int, bool] = field(default_factory=dict)
    """The last answers in this engine, by the numbers of builds."""
    first_pause: timedelta = timedelta(seconds=30)
    attempts: Mapping[FailureKind, int] = field(default_factory=dict)
    """How often work is tried that fails with each kind, one attempt if it is not said."""
    backoff: timedelta = timedelta(seconds=2)
    engine: int = 0
    version: int | None = None
    """The version of the operation now."""
    started: int = 0
    due: Due | None = None
    run: Running | None = None
    memory: Memory | None = None
    loaded: bool = False
    records: list[Record] = field(default_factory=list)
    unsettled: bool = False
    """Whether a run has left no result since the last one that did."""

    # What can be seen

    @property
    def wanted(self) -> list[Wish]:
        return [wish for wish in self.wishes if wish is not None]

    def target(self, wish: Wish) -> str | None:
        return wish.value if self.has_value else None

    @property
    def conflict(self) -> Sequence[str]:
        """The values that are wanted at once, if there is more than one."""
        values = {wish.value for wish in self.wanted}
        return sorted(values) if self.has_value and len(values) > 1 else ()

    def output(self, wish: Wish) -> Output[str]:
        memory, target = self.memory, self.target(wish)
        if self.run is None and self.due is None:
            assert memory is not None
            assert memory.fresh
            return memory.outcome
        if memory is not None and (self.latched or memory.target == target):
            return memory.outcome
        if self.run is None:
            return Active(Activity.READY)
        if not self.run.confirmed:
            return Active(Activity.WAITING_FOR_CONFIRMATION)
        return Active(Activity.RUNNING if self.run.begun else Activity.READY)

    @property
    def is_paused(self) -> bool:
        """Whether what has not begun waits."""
        wanting = {user for user, wish in enumerate(self.wishes) if wish is not None}
        return self.all_paused or wanting <= self.paused

    def most(self, outcome: Output[str]) -> int:
        """The number of attempts after which an outcome is final."""
        return self.attempts.get(outcome.kind, 1) if isinstance(outcome, Failed) else 1

    @property
    def last(self) -> Record | None:
        """The last result."""
        return next((record for record in reversed(self.records) if record.outcome), None)

    @property
    def next_build(self) -> int:
        return 0 if self.last is None else self.last.build + 1

    # What can happen

    def end(self, outcome: Ok[str] | Failed) -> None:
        """The run ends."""
        if isinstance(outcome, Ok):
            self.lost = False
        run, self.run = self.run, None
        assert run is not None
        if run.abandoned and run.begun:
            self.unsettled = True
            self._go_stale()
        elif run.abandoned:
            self._go_stale()
            self.memory = run.before or self.memory
            self.due = run.due
        else:
            result = CANCELLED if run.cancelled else outcome
            self._record(run, result)
            stale = self.wanted and run.target not in map(self.target, self.wanted)
            if stale and isinstance(result, Failed):
                self._go_stale()
            elif self.wanted and run.attempt < self.most(result):
                pause = self.backoff * 2 ** (run.attempt - 1)
                self.due = Due(run.attempt + 1, run.target, self.now + pause)
            else:
                self.memory = Memory(run.target, result, self.now)
        self.settle()

    def guard(self, guarded: bool) -> None:
        """From now on runs have to be confirmed, or need not any more."""
        self.guarded = guarded
        if not guarded:
            self.approve()

    def approve(self) -> None:
        """Somebody confirms the run."""
        if self.run is not None:
            self.run.confirmed = True
            self._begin()

    def pause_all(self, paused: bool) -> None:
        """From now on everything is paused, or not any more."""
        self.all_paused = paused
        self._begin()

    def pause(self, user: int, paused: bool) -> None:
        """From now on the stage of a user is paused, or not any more."""
        self.paused = self.paused | {user} if paused else self.paused - {user}
        self._begin()

    def cancel(self) -> None:
        """Somebody cancels the run."""
        assert self.run is not None
        if not (self.run.abandoned or self.run.cancelled):
            self.run.cancelled = True
            if not (self.stubborn and self.run.begun):
                self.end(CANCELLED)

    def rebuild(self) -> None:
        if self.run is None:
            if self.last is not None:
                self.last.rebuild = True
            self.memory = self.due = None
            self.settle()
        else:
            self.run.is_held = False

    def verify(self) -> None:
        """Somebody wants to know whether the result is still there."""
        memory = self.memory
        if self.run is None and self.due is None and memory is not None and memory.fresh:
            memory.unsure = self.can_tell and isinstance(memory.outcome, Ok)
            self.settle()

    def restart(self, *, killed: bool, version: int | None) -> None:
        """The engine stops, and another one takes over, maybe with another version of the work."""
        self.engine += 1
        self.answers = {}
        if self.run is not None:
            if self.run.cancelled and not self.run.abandoned and not killed:
                self._record(self.run, CANCELLED)
            else:
                self.unsettled = True
                if (killed or not self.run.abandoned) and not self.run.is_held:
                    # A run that was abandoned and could end leaves no trace.
                    self._record(self.run, None)
        self._forget()
        self.version = version
        self.settle()

    def settle(self) -> None:
        """What follows from what is wanted now."""
        if not self.wanted:
            if self.run is None:
                self._forget()
            elif self.auto_cancel or not self.run.begun:
                self._abandon()
            return
        if not self.loaded:
            self._load()
        self._ask_again()
        if self.conflict:
            return
        target = self.target(self.wanted[0])
        self._ask(target)
        if self.run is not None:
            if self.run.target != target and (self.auto_cancel or not self.run.begun):
                self._abandon()
            else:
                self._begin()
        elif self.due is not None:
            if self.due.target != target:
                self._start(target)
            elif self.now >= self.due.at:
                self._start(target, self.due.attempt)
        elif not self._is_known(target):
            self._start(target)

    def _ask(self, target: str | None) -> None:
        """Ask whether the result is still there that is wanted."""
        memory = self.memory
        if self.run is None and memory is not None and memory.unsure and memory.target == target:
            memory.unsure = False
            self._answer(memory, self.first_pause)

    def _ask_again(self) -> None:
        memory = self.memory
        if self.run is not None or memory is None or memory.doubt is None:
            return
        due = not self.conflict and not self._is_known(self.target(self.wanted[0]))
        if not due and self.now >= memory.doubt.at and not memory.unsure:
            self._answer(memory, memory.doubt.pause * 2)

    def _answer(self, memory: Memory, pause: timedelta) -> None:
        memory.doubt = None
        if not self.knows:
            pause = min(pause, timedelta(minutes=5))
            memory.doubt = Doubt(self.now + pause, pause)
            return
        assert self.last is not None
        self.answers[self.last.build] = not self.lost
        if self.lost:
            self.memory = None

    # How it comes about

    def _record(self, run: Running, result: Ok[str] | Failed | None) -> None:
        record = Record(self.next_build, run.target, result, self.now)
        record.attempt, record.engine = run.attempt, self.engine
        record.version = self.version
        self.records.append(record)
        if result is not None:
            self.unsettled = False

    def _is_known(self, target: str | None) -> bool:
        memory = self.memory
        if memory is None or not memory.fresh or memory.target != target:
            return False
        limits = [wish.valid_for for wish in self.wanted if wish.valid_for is not None]
        return not limits or self.now < memory.finished + min(limits)

    def _start(self, target: str | None, attempt: int = 1) -> None:
        before = None
        due, self.due = self.due, None
        if due is not None:
            due = replace(due, at=self.now)
        if self.memory is not None and self.memory.target != target:
            is_still = self.memory.fresh or due is not None
            unsure = self.memory.unsure or self.memory.doubt is not None
            before = replace(self.memory, unsure=unsure, doubt=None) if is_still else None
            self.memory = self.memory if self.latched else None
        self._go_stale()
        urgency = Urgency.HIGH if self.memory is None else Urgency.LOW
        self.run = Running(target, urgency, not self.guarded, False, before, attempt, due)
        refreshes = due is None and self.memory is not None and isinstance(self.memory.outcome, Ok)
        self.run.is_held = self.lookup and refreshes and self.run.confirmed
        self._begin()

    def _begin(self) -> None:
        """The run begins, unless it has, or something holds it back."""
        run = self.run
        if run is not None and not run.begun and run.confirmed and not self.is_paused:
            run.begun = True
            self.started += 1

    def _abandon(self) -> None:
        assert self.run is not None
        again = self.run.abandoned or self.run.cancelled
        self.run.abandoned = True
        if not (self.stubborn and self.run.begun) and not again:
            self.end(CANCELLED)

    def _go_stale(self) -> None:
        if self.memory is not None:
            self.memory.fresh = self.memory.unsure = False
            self.memory.doubt = None

    def _forget(self) -> None:
        self.run = None
        self.memory = self.due = None
        self.loaded = False

    def _load(self) -> None:
        self.loaded = True
        last = self.last
        if last is None or last.rebuild or last.outcome is None:
            return
        if last.version != self.version:
            if self.latched:
                self.memory = Memory(last.target, last.outcome, last.finished, fresh=False)
            return
        if (most := self.most(last.outcome)) > 1:
            is_last = last.attempt >= most
            if not is_last or (is_infra(last.outcome) and last.engine < self.engine):
                attempt = 1 if is_last else last.attempt + 1
                self.due = Due(attempt, last.target, self.now)
                return
        sure = not self.has_value or not self.unsettled
        if sure or self.latched:
            self.memory = Memory(last.target, last.outcome, last.finished, fresh=sure)
            was_there = self.answers.get(last.build, last.engine == self.engine)
            can_be_lost = self.can_tell and isinstance(last.outcome, Ok)
            self.memory.unsure = sure and can_be_lost and not was_there


def is_infra(outcome: Output[str] | None) -> bool:
    return isinstance(outcome, Failed) and outcome.kind is FailureKind.INFRA
