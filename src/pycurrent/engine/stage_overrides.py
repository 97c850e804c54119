"""Finds the stages for which people have set something, also when their paths have changed.

A pin, a pause and a mute name a stage by its path. When a twin of the stage appears, by an edit of
the pipeline as a rule, the path is told apart from the twin's by the stage's constant arguments;
once the twin has gone, and the engine was started again, the path is the short one again. So the
record has the *full path*, too: that with the constant arguments, which is the same with twins and
without. A stage is found by its full path, or else by its path: then its own arguments are others.

Where neither leads to a stage, somebody has to decide, so that is a problem of the engine, which
names the stages that look like it. Without such ones it is a problem only once nothing is in doubt
any more that may bring the stage back (see `doubts.py` in the room `term`). If there are several,
which only the order of building tells apart, all are held, and that is a problem, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from pycurrent.engine.clock import Timer
from pycurrent.engine.problems import Effect, Problem
from pycurrent.store import OverrideKey, OverrideKind, OverrideRecord
from pycurrent.term import Doubts, Stage

if TYPE_CHECKING:
    from pycurrent.engine.open_engine import OpenEngine

_LOOK_AGAIN = timedelta(seconds=10)
"""How soon it is looked again whether a stage that is not there may come back: that may take as
long as a look at all nodes.
"""
_NAMED = 5
"""How many stages a message names."""

Followed: TypeAlias = Callable[[OverrideRecord, list[Stage]], None]
"""Is told of the stages that something is set for now."""

_PATH: Mapping[OverrideKind, Callable[[str], str]] = MappingProxyType(
    {
        OverrideKind.PIN: str,
        OverrideKind.PAUSE: lambda subject: subject.removeprefix("path "),
        OverrideKind.MUTE: lambda subject: subject.removeprefix("path "),
    }
)
"""The kinds of what is set for stages, each with a function from its subject to the path."""


class StageOverrides:
    """The settings of stages in one engine. Belongs to the thread of the event loop."""

    def __init__(self, engine: OpenEngine) -> None:
        self._engine = engine
        self._followers: dict[OverrideKind, Followed] = {}
        self._links = -1
        """The links of the living nodes when it last looked."""
        self._gone: set[OverrideKey] = set()
        """Keys of overrides whose stages have gone for good, unless their code comes back."""
        self._in_doubt: dict[OverrideKey, OverrideRecord] = {}
        """Overrides whose stages are not there, and may come back."""
        self._timer: Timer | None = None
        self._records: list[OverrideRecord] = []
        for kind in _PATH:
            engine.overrides.listen(kind, partial(self._changed, kind))
        self._read()
        engine.after_step(self._look)

    def close(self) -> None:
        """Look no more. Twice is fine."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def follow(self, kind: OverrideKind, followed: Followed) -> None:
        """Have `followed` told of what is set of a kind after each step in which stages have come
        or gone.
        """
        self._followers[kind] = followed

    def stages_of(self, record: OverrideRecord) -> list[Stage]:
        """The stages that something is set for. None if there is none with its full path or, by
        default, its path.
        """
        live = self._engine.live
        found = [] if record.stage is None else live.with_full_path(record.stage)
        if not found and (by_path := live.find(_path_of(record))) is not None:
            full = live.full_path(by_path)
            of_others = (r.stage for r in self._records if r.kind is record.kind)
            found = [] if full in of_others else [by_path]
        return found

    def alike(self, record: OverrideRecord) -> list[str]:
        """The paths of the stages that look like the one that something is set for, as they have
        the same name in the same place.
        """
        live = self._engine.live
        return [str(live.ref(stage)) for stage in live.alike(record.stage or _path_of(record))]

    def _read(self) -> None:
        overrides = self._engine.overrides
        self._records = [
            record for kind in _PATH for record in overrides.all(kind) if record.stage is not None
        ]

    def _changed(self, kind: OverrideKind, subject: str) -> None:
        """Something was set, or has ended."""
        self._read()
        self._forget((kind, subject))

    def _look(self) -> None:
        """Find the stages after a step in which some have come or gone."""
        links = self._engine.live.account.links
        if not self._records or links == self._links or self._engine.pipeline_failed:
            return
        self._links = links
        for record in self._records:
            self._look_for(record)
        self._await_doubts()

    def _look_for(self, record: OverrideRecord) -> None:
        stages = self.stages_of(record)
        if stages:
            self._gone.discard(record.key)
            self._in_doubt.pop(record.key, None)
            record = self._followed(record, stages)
        elif record.key not in self._gone:
            self._in_doubt[record.key] = record
        self._tell(record, stages)

    def _followed(self, record: OverrideRecord, stages: list[Stage]) -> OverrideRecord:
        full = self._engine.live.full_path(stages[0])
        if full != record.stage:
            record = self._engine.overrides.follow(record, full)
            self._read()
        follower = self._followers.get(record.kind)
        if follower is not None:
            follower(record, stages)
        return record

    def _await_doubts(self) -> None:
        if self._in_doubt and self._timer is None:
            self._timer = self._engine.clock.call_later(_LOOK_AGAIN, self._look_again)

    def _look_again(self) -> None:
        self._timer = None
        self._engine.when_step_is_done(self._look_at_doubts)

    def _look_at_doubts(self) -> None:
        """Find out which of the stages that are not there have gone for good."""
        if self._engine.is_closed:
            return
        doubts = Doubts(self._engine.live)
        if not (self._engine.pipeline_failed or doubts.unread()):
            for key, record in [*self._in_doubt.items()]:
                if doubts.about_path(_path_of(record)) is None:
                    del self._in_doubt[key]
                    self._gone.add(key)
                    self._tell(record, [])
        self._await_doubts()

    # Telling

    def _tell(self, record: OverrideRecord, stages: list[Stage]) -> None:
        problem = self._problem(record, stages)
        if problem is None:
            self._engine.problems.clear(_topic(record.key))
        else:
            self._engine.problems.report(_topic(record.key), problem)

    def _problem(self, record: OverrideRecord, stages: list[Stage]) -> Problem | None:
        noun = record.kind.value
        what = _told(record)
        if len(stages) > 1:
            brief = f"a {noun} holds several stages"
            message = (
                f"{what} holds {len(stages)} stages, as only the order of building tells them"
                " apart: give them a name="
            )
            return Problem(brief, message, Effect.TOLD)
        if stages:
            return None
        alike = self.alike(record)
        if not alike and record.key not in self._gone:
            return None
        message = (
            f"{what} holds nothing, as the pipeline has no such stage any more{_but(alike)}: set it"
            " for the stage that it is meant for, or end it"
        )
        return Problem(f"a {noun} holds nothing", message, Effect.TOLD)

    def _forget(self, key: OverrideKey) -> None:
        self._gone.discard(key)
        self._in_doubt.pop(key, None)
        self._engine.problems.clear(_topic(key))


def _path_of(record: OverrideRecord) -> str:
    return _PATH[record.kind](record.subject)


def _topic(key: OverrideKey) -> str:
    kind, subject = key
    return f"{kind.value} {subject}"


def _told(record: OverrideRecord) -> str:
    by = None if record.by is None else f"set by {record.by}"
    said = ": ".join(filter(None, (by, record.reason)))
    return f"the {record.kind.value} of {_path_of(record)}{said and f' ({said})'}"


def _but(alike: list[str]) -> str:
    if not alike:
        return ""
    more = f" and {len(alike) - _NAMED} more" if len(alike) > _NAMED else ""
    looks = "looks" if len(alike) == 1 else "look"
    return f", but {', '.join(alike[:_NAMED])}{more}, which {looks} like it"
