"""Pauses: people have the jobs of a level or a pool, or all below a path, wait.

A job that has begun goes on. One that has not waits until nothing that it belongs to is paused any
more: it leaves the queue of its pool meanwhile, holds none of its resources, and gets its old place
back. A job that several stages want waits only if all of them are below a path that is paused.

The pause of a stage follows it when its path changes (see `stage_overrides.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from enum import Enum
from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from pycurrent.engine.audit import Asker
from pycurrent.engine.clock import instant
from pycurrent.engine.level import Level
from pycurrent.engine.overrides import Overrides
from pycurrent.engine.stage_overrides import StageOverrides
from pycurrent.engine.thread import LoopThread
from pycurrent.errors import UsageError, WrongKind
from pycurrent.store import OverrideKind, OverrideRecord
from pycurrent.term import Stage, StageRef, TermGraph, shown, untold_paths

StagePath = tuple[str, ...]


class PauseKind(Enum):
    """The kind of a thing that can be paused."""

    LEVEL = "level"
    POOL = "pool"
    PATH = "path"


class Pausable(Struct, frozen=True):
    """A thing that can be paused."""

    kind: PauseKind
    name: str
    """The level, the label of the pool, or the path: that of a stage, or the beginning of one."""

    def __str__(self) -> str:
        return f"{self.kind.value} {self.name}"

    @classmethod
    def of(
        cls, path: str | None = None, level: Level | str | None = None, pool: str | None = None
    ) -> Self:
        """The one thing that is named. Raises `UsageError` for none, and for several."""
        named = {PauseKind.PATH: path, PauseKind.LEVEL: level, PauseKind.POOL: pool}
        given = [(kind, name) for kind, name in named.items() if name is not None]
        if len(given) != 1:
            raise UsageError("give one of a path, level= and pool=")
        ((kind, name),) = given
        if not isinstance(name, Level | str):
            raise WrongKind(f"{kind.value}= takes a name, not {shown(name)}")
        if kind is PauseKind.LEVEL:
            name = name if isinstance(name, Level) else Level.parse(name)
        text = str(name).rstrip("/") if kind is PauseKind.PATH else str(name)
        if not text:
            raise UsageError(f"{kind.value}= takes a name, not an empty text")
        return cls(kind, text)

    @classmethod
    def of_text(cls, text: str) -> Self:
        """The one whose text this is."""
        kind, _, name = text.partition(" ")
        return cls(PauseKind(kind), name)


class Pause(Struct, frozen=True):
    """A pause that is in force."""

    what: Pausable
    by: str | None
    """The person who has set it; None if code has, and did not say for whom."""
    at: datetime
    reason: str | None
    until: datetime | None
    """When it ends by itself; None: never."""
    stage: str | None = None
    """The full path of the stage whose path is paused, if it is one's."""
    alike: tuple[str, ...] = ()
    """The paths of the stages that look like that one, while there is no such stage."""

    def __str__(self) -> str:
        return f"{self.what} is {self.words}"

    @property
    def words(self) -> str:
        """The person, the end and the reason, in words."""
        by = "" if self.by is None else f" by {self.by}"
        until = "" if self.until is None else f" until {instant(self.until)}"
        reason = "" if self.reason is None else f": {self.reason}"
        return f"paused{by}{until}{reason}"


class PausedWork:
    """The pauses that are in force in one engine, as its jobs see them."""

    def __init__(self) -> None:
        self._pauses: dict[Pausable, Pause] = {}
        self._by_path: dict[StagePath, Pause] = {}
        self._by_stage: dict[StagePath, Pause] = {}
        """The pauses of stages by their full paths."""
        self._untold: frozenset[StagePath] = frozenset()
        """The paths that these stages have while they are not told from any twins."""
        self.full_path: Callable[[StagePath], StagePath | None] = lambda path: None
        """Gives the full path of a living stage."""
        self._listeners: list[Callable[[], None]] = []

    @property
    def is_any(self) -> bool:
        """True if there is any pause."""
        return bool(self._pauses)

    def of(
        self, level: Level, pool: str | None, paths: Callable[[], Iterable[StagePath]]
    ) -> Pause | None:
        """The pause for which a job waits that has not begun; None if it may begin. `paths()` gives
        the paths of the stages that want it.
        """
        found = self._pauses.get(Pausable(PauseKind.LEVEL, str(level)))
        if found is None and pool is not None:
            found = self._pauses.get(Pausable(PauseKind.POOL, pool))
        return self._of_all(paths()) if found is None and self._by_path else found

    def of_path(self, path: StagePath) -> Pause | None:
        """The pause of a path, or of what it is below."""
        return self._of_all([path])

    def _of_all(self, paths: Iterable[StagePath]) -> Pause | None:
        """The pause of the last path, if all of them have one."""
        found = None
        for path in paths:
            above = (path[:length] for length in range(1, len(path) + 1))
            found = next((self._by_path[names] for names in above if names in self._by_path), None)
            if found is None:
                found = self._of_stage(path)
            if found is None:
                return None
        return found

    def _of_stage(self, path: StagePath) -> Pause | None:
        """The pause of a stage that has another path than when it was paused."""
        if path in self._by_stage or not self._untold:
            return self._by_stage.get(path)
        if self._untold.isdisjoint(untold_paths(path)):
            return None
        full = self.full_path(path)
        return None if full is None else self._by_stage.get(full)

    def all(self) -> tuple[Pause, ...]:
        """All pauses, sorted by what is paused."""
        return tuple(sorted(self._pauses.values(), key=lambda pause: str(pause.what)))

    def get(self, what: Pausable) -> Pause | None:
        """The pause of exactly this; None if it is not paused."""
        return self._pauses.get(what)

    def put(self, what: Pausable, pause: Pause | None) -> None:
        """Have a pause in force; or, with None, no more."""
        if pause is None:
            self._pauses.pop(what, None)
        else:
            self._pauses[what] = pause
        if what.kind is PauseKind.PATH:
            self._index()
        for changed in self._listeners:
            changed()

    def _index(self) -> None:
        of_paths = [p for p in self._pauses.values() if p.what.kind is PauseKind.PATH]
        self._by_path = {_names(pause.what.name): pause for pause in of_paths}
        self._by_stage = {_names(p.stage): p for p in of_paths if p.stage is not None}
        self._untold = frozenset(path for full in self._by_stage for path in untold_paths(full))

    def listen(self, changed: Callable[[], None]) -> None:
        """Have `changed` called whenever there is another pause, or one less."""
        self._listeners.append(changed)


class PauseBoard:
    """Where people pause and resume things. Belongs to the thread of the event loop.

    A pause holds over restarts, until somebody resumes what is paused or its time is over.
    """

    def __init__(
        self,
        overrides: Overrides,
        stages: StageOverrides,
        paused: PausedWork,
        live: TermGraph,
        thread: LoopThread,
    ) -> None:
        self._overrides = overrides
        self._stages = stages
        self._paused = paused
        self._live = live
        self._thread = thread
        paused.full_path = self._full_path
        for record in overrides.all(OverrideKind.PAUSE):
            self._changed(record.subject)
        overrides.listen(OverrideKind.PAUSE, self._changed)
        stages.follow(OverrideKind.PAUSE, self._follow)

    def all(self) -> tuple[Pause, ...]:
        """All pauses, sorted by what is paused."""
        return tuple(self._told(pause) for pause in self._paused.all())

    def of_path(self, path: str) -> Pause | None:
        """The pause for which the stages at a path and below it wait; None if there is none, even
        if a level or pool of theirs is paused.
        """
        pause = self._paused.of_path(_names(path))
        return None if pause is None else self._told(pause)

    def _told(self, pause: Pause) -> Pause:
        record = self._overrides.get(OverrideKind.PAUSE, str(pause.what))
        if pause.stage is None or record is None or self._stages.stages_of(record):
            return pause
        return replace(pause, alike=tuple(self._stages.alike(record)))

    def _full_path(self, path: StagePath) -> StagePath | None:
        stage = self._live.find(str(StageRef(path)))
        return None if stage is None else _names(self._live.full_path(stage))

    def pause(
        self,
        what: Pausable,
        *,
        by: Asker | str | None = None,
        reason: str | None = None,
        until: datetime | None = None,
    ) -> Pause:
        """Pause something, in place of an earlier pause of the same. On disk when it returns.

        Between two steps. Raises `UsageError`, and changes nothing, if a path leads to no stage, or
        to one that has no name of its own, or if `until` has passed.
        """
        self._thread.check("engine.pause")
        stage = self._stage(what.name) if what.kind is PauseKind.PATH else None
        before = self._find(what, stage)
        what = what if before is None else before.what
        record = self._overrides.set(
            OverrideKind.PAUSE,
            str(what),
            None,
            before=None if before is None else str(before),
            by=by,
            reason=reason,
            until=until,
            stage=stage,
        )
        return _pause_of(record)

    def resume(
        self, what: Pausable, *, by: Asker | str | None = None, reason: str | None = None
    ) -> Pause:
        """Have it wait no longer; gives the pause that has ended.

        Raises `UsageError` if it is not paused itself, even if something above it is.
        """
        self._thread.check("engine.resume")
        stage = None
        if what.kind is PauseKind.PATH and (found := self._live.find(what.name)) is not None:
            stage = self._live.full_path(found)
        pause = self._find(what, stage)
        subject = str(what if pause is None else pause.what)
        removed = self._overrides.remove(OverrideKind.PAUSE, subject, by=by, reason=reason)
        if removed is None:
            known = ", ".join(str(pause.what) for pause in self._paused.all())
            raise UsageError(f"{what} is not paused: {known or 'nothing'} is")
        return _pause_of(removed)

    def _find(self, what: Pausable, stage: str | None) -> Pause | None:
        """The pause of something; of a stage with this full path also if it had another path."""
        found = self._paused.get(what)
        if found is not None and (stage is None or found.stage in (stage, None)):
            return found
        of_stage = (p for p in self._paused.all() if stage is not None and p.stage == stage)
        return next(of_stage, found)

    def _changed(self, subject: str) -> None:
        record = self._overrides.get(OverrideKind.PAUSE, subject)
        pause = None if record is None else _pause_of(record)
        self._paused.put(Pausable.of_text(subject), pause)

    def _follow(self, record: OverrideRecord, stages: list[Stage]) -> None:
        """Its stage has another full path, perhaps."""
        pause = self._paused.get(Pausable.of_text(record.subject))
        if pause is not None and pause.stage != record.stage:
            self._changed(record.subject)

    def _stage(self, path: str) -> str | None:
        """The full path of the stage that has a path; None if the path only leads to stages."""
        stage = self._live.find(path)
        if stage is not None and not self._live.ref(stage).is_stable:
            raise UsageError(
                f"{path!r} is told from other stages only by the order of building, which changes"
                " when the pipeline does: give it a name="
            )
        if stage is None and not self._live.leads_to_stage(path):
            raise UsageError(
                f"the pipeline has no stage {path!r} now, nor any below it: `pycurrent client"
                " stages` lists those that it has"
            )
        return None if stage is None else self._live.full_path(stage)


def _pause_of(record: OverrideRecord) -> Pause:
    what = Pausable.of_text(record.subject)
    return Pause(what, record.by, record.at, record.reason, record.until, record.stage)


def _names(path: str) -> StagePath:
    return tuple(StageRef.names_in(path))
