"""The demands on one key: by nobody, by one user, or by several.

Most keys have one user, whose demand then stands for all of them: an object around it would take
as much as a third of the instance.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from pycurrent.cache.operation_type import (
    GONE,
    AnyOperation,
    OperationType,
    Retiring,
    TargetValue,
)
from pycurrent.cache.retry import Retry
from pycurrent.engine import Job, Level
from pycurrent.engine.changes import Ids
from pycurrent.engine.paused import StagePath
from pycurrent.store import JobRecord
from pycurrent.term import NO_LABELS, TRUSTED, StageRef, Trust

if TYPE_CHECKING:
    from pycurrent.cache.schedule import Deadline, Schedule


class Demands(ABC):
    """The demands on one key, in the order in which they came. True if there are any."""

    __slots__ = ()

    @abstractmethod
    def __iter__(self) -> Iterator[Demand]: ...

    @abstractmethod
    def __bool__(self) -> bool: ...

    @property
    @abstractmethod
    def latest(self) -> Demand | None: ...

    @abstractmethod
    def and_also(self, demand: Demand) -> Demands:
        """These and another one. Use the old object no more."""

    @abstractmethod
    def without(self, demand: Demand) -> Demands:
        """These without one of them. Use the old object no more."""

    @property
    def are_scheduled(self) -> bool:
        """True if a result may become too old for some user."""
        return any(d.schedule is not None for d in self)

    def deadline(self, finished: datetime) -> Deadline | None:
        """The time at which a result becomes too old for some user; None: never."""
        schedules = [d.schedule for d in self if d.schedule is not None]
        deadlines = (schedule.deadline(finished) for schedule in schedules)
        return min((d for d in deadlines if d is not None), default=None)

    def want_other_than(self, target: TargetValue) -> bool:
        """True if there are demands, and none is for this target."""
        return bool(self) and target.digest not in [d.target.digest for d in self]

    def different_values(self) -> tuple[str, str] | None:
        """Two values that are wanted at once, in an order that does not depend on who came first;
        None if all users want the same.
        """
        targets = {d.target.digest: d.target for d in self}
        if len(targets) < 2:
            return None
        one, other = sorted(targets.values(), key=lambda target: str(target.digest))[:2]
        return str(one.text), str(other.text)


class _Nobody(Demands):
    __slots__ = ()

    def __iter__(self) -> Iterator[Demand]:
        return iter(())

    def __bool__(self) -> bool:
        return False

    @property
    def latest(self) -> None:
        return None

    def and_also(self, demand: Demand) -> Demands:
        return demand

    def without(self, demand: Demand) -> Demands:
        raise AssertionError(f"{demand!r} is not here")


NO_DEMANDS = _Nobody()


class Demand(Demands):
    """The target that one user wants the key to be at, and by which operation object."""

    __slots__ = ("changed", "operation", "retry", "schedule", "target", "title")

    def __init__(
        self,
        operation: AnyOperation,
        target: TargetValue,
        title: str,
        schedule: Schedule | None,
        retry: Retry,
        changed: Callable[[], None],
    ) -> None:
        self.operation = operation
        self.target = target
        self.title = title
        self.schedule = schedule
        self.retry = retry
        self.changed = changed

    def __iter__(self) -> Iterator[Demand]:
        return iter((self,))

    def __bool__(self) -> bool:
        return True

    @property
    def latest(self) -> Demand:
        return self

    def and_also(self, demand: Demand) -> Demands:
        return _Several(self, demand)

    def without(self, demand: Demand) -> Demands:
        assert demand is self
        return NO_DEMANDS

    @property
    def are_scheduled(self) -> bool:
        return self.schedule is not None

    def different_values(self) -> None:
        return None

    def label(self, name: str) -> str | None:
        """A label of the stage that has this demand; None if it has none of this name."""
        return None

    @property
    def path(self) -> StagePath | None:
        """The path of the stage that has this demand; None if it has none."""
        return None

    @property
    def stage_labels(self) -> Mapping[str, str]:
        """All labels of the stage that has this demand."""
        return NO_LABELS

    @property
    def least_level(self) -> Level | None:
        """The level that its jobs have at least; None: that at which they start."""
        return None

    @property
    def trust(self) -> Trust:
        """The trust of the stage that has this demand."""
        return TRUSTED


class Retirement(Demand):
    """The demand that what was set be retired. It gives way to any other."""

    __slots__ = ("changes", "setting", "stage", "trust")
    trust: Trust

    def __init__(
        self,
        operation: AnyOperation,
        setting: JobRecord,
        stage: StageRef | None,
        changes: Ids,
        changed: Callable[[], None],
        trust: Trust,
    ) -> None:
        title = f"retire {setting.op} {setting.key}"
        super().__init__(operation, GONE, title, None, operation.retry, changed)
        self.setting = setting
        """The job that has set it."""
        self.stage = stage
        """The stage that has left it last; None if that is not known."""
        self.changes = changes
        """The changes by which it has gone."""
        self.trust = trust

    def and_also(self, demand: Demand) -> Demands:
        return demand

    def label(self, name: str) -> str | None:
        return None if self.stage is None else self.stage.labels.get(name)

    @property
    def path(self) -> StagePath | None:
        return None if self.stage is None else self.stage.path

    @property
    def stage_labels(self) -> Mapping[str, str]:
        return NO_LABELS if self.stage is None else self.stage.labels

    @property
    def least_level(self) -> Level | None:
        level = self.setting.level
        return None if level is None else Level.parse(level)

    async def carry_out(self, op_type: OperationType, job: Job, key: Any) -> None:
        """Have the operation retire it. Raises `UnreadableValue` if its outcome can't be read."""
        assert self.setting.outcome is not None
        outcome = op_type.outcome.decode(self.setting.outcome)
        await cast("Retiring", self.operation).retire(job, key, outcome)


class _Several(Demands):
    """At least one."""

    __slots__ = ("_all",)

    def __init__(self, *demands: Demand) -> None:
        self._all = dict.fromkeys(demands)

    def __iter__(self) -> Iterator[Demand]:
        return iter(self._all)

    def __bool__(self) -> bool:
        return True

    @property
    def latest(self) -> Demand:
        return next(reversed(self._all))

    def and_also(self, demand: Demand) -> Demands:
        self._all[demand] = None
        return self

    def without(self, demand: Demand) -> Demands:
        del self._all[demand]
        return self if self._all else NO_DEMANDS
