"""The problems of an engine itself, whatever its pipeline does: shown wherever people look.

The terminal, the pages, the API, `/readyz` and the metrics all show what is in here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from enum import Enum

from msgspec import Struct

_log = logging.getLogger(__name__)


class Effect(Enum):
    """The effect of a problem on the engine."""

    TOLD = "told"
    """Nothing but that people are told."""
    HELD = "held"
    """Nothing new begins before it has gone."""


class Problem(Struct, frozen=True):
    """Something that is wrong, in a sentence that says what to do."""

    brief: str
    """The problem in a few words for everybody: no paths."""
    message: str
    effect: Effect


class Problems:
    """The current problems, one for each topic. Belongs to the engine's thread."""

    def __init__(self) -> None:
        self._now: dict[str, Problem] = {}
        self._listeners: dict[Callable[[], None], None] = {}

    def __iter__(self) -> Iterator[Problem]:
        return iter(self._now.values())

    @property
    def held(self) -> bool:
        """True if nothing new may begin."""
        return any(problem.effect is Effect.HELD for problem in self)

    def report(self, topic: str, problem: Problem) -> None:
        """There is this problem from now on. The same one again changes nothing."""
        if self._now.get(topic) != problem:
            self._now[topic] = problem
            level = logging.ERROR if problem.effect is Effect.HELD else logging.WARNING
            _log.log(level, "%s", problem.message)
            self._tell()

    def clear(self, topic: str) -> None:
        """The problem has gone. It is fine if there was none."""
        if self._now.pop(topic, None) is not None:
            self._tell()

    def listen(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Have `changed()` called when they change; call what is returned to stop that."""
        self._listeners[changed] = None
        return lambda: self._listeners.pop(changed, None)

    def _tell(self) -> None:
        for listener in list(self._listeners):
            listener()
