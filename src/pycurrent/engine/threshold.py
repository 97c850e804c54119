"""The confirmation level of an engine, over its restarts.

At the start the first of these counts:

1. the level that is insisted on: that of the command line;
2. the level that was recorded: the last one that somebody set while an engine ran, or that was
   insisted on;
3. the level of the `Config`; or, if the history was lost, one that is as strict as
   `AFTER_A_LOSS`, until somebody sets a level.

A level that a person has set stays until somebody sets another one. So the automatic release is
for levels of the command line and the `Config` only, and it isn't recorded: the next engine asks
again, for as long.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from enum import Enum
from typing import Self

from msgspec import Struct

from pycurrent.engine.clock import Clock, Timer
from pycurrent.engine.level import Config, Level
from pycurrent.engine.problems import Effect, Problem, Problems
from pycurrent.errors import UsageError
from pycurrent.store import Database

AFTER_A_LOSS = Level.ABOVE_AVERAGE
"""Work at this level, or above, isn't done again unasked where nobody knows what was done."""

_SETTING = "confirm"
_TOPIC = "history"
_LOST = (
    "the history is missing: there are logs of earlier jobs, but the database knows of none, so all"
    " work is done again; restore a backup of the database, or set the confirmation level to go on"
    " without: until then work above the level average waits for confirmation"
)

_log = logging.getLogger(__name__)


class SetBy(Enum):
    """The one who has set a level that was recorded."""

    PERSON = "a person"
    COMMAND_LINE = "the command line"
    LOSS = "the loss of the history"


class Recorded(Struct, frozen=True):
    """The level that was in force when it was recorded."""

    level: Level | None
    by: SetBy

    def to_text(self) -> str:
        return json.dumps({"level": str(self.level), "by": self.by.value})

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read it. Text that can't be read counts as the strictest level, and is logged."""
        try:
            fields = json.loads(text)
            level, by = fields["level"], SetBy(fields["by"])
            return cls(None if level == "None" else Level.parse(level), by)
        except (ValueError, KeyError, TypeError, AttributeError, UsageError) as error:
            _log.warning("the recorded confirmation level %r can't be read: %s", text, error)
            return cls(Level.HARMLESS, SetBy.PERSON)


class Threshold:
    """Keeps the level of one engine's `Config` recorded, from the engine's start to its end."""

    def __init__(
        self,
        config: Config,
        store: Database,
        clock: Clock,
        problems: Problems,
        *,
        lost: bool,
        commit: Callable[[], object],
    ) -> None:
        """`lost`: whether there were jobs of which nothing is known. `commit()` writes records."""
        self._config = config
        self._store = store
        self._problems = problems
        self._commit = commit
        self._release_timer: Timer | None = None
        self.recorded: Recorded | None = None
        """The level of an earlier run, if it is in force again."""
        by = self._begin(lost=lost)
        config.listen_to_confirm(self._changed)
        asks = config.confirm is not None and by in {None, SetBy.COMMAND_LINE}
        if asks and config.auto_release is not None:
            self._release_timer = clock.call_later(config.auto_release, self._release)

    @property
    def releases_itself(self) -> bool:
        """True if jobs that wait for confirmation will start by themselves after a time."""
        return self._release_timer is not None

    def close(self) -> None:
        """Stop recording: a level that is set from now on is not kept."""
        self._config.forget(self._changed)
        self._cancel_release()

    def _begin(self, *, lost: bool) -> SetBy | None:
        """Put the level into force that counts at the start; gives who has set it."""
        text = self._store.setting(_SETTING)
        recorded = None if text is None else Recorded.from_text(text)
        if lost and recorded is None:
            recorded = Recorded(stricter(self._config.confirm, AFTER_A_LOSS), SetBy.LOSS)
            self._store.remember(_SETTING, recorded.to_text())
        if recorded is not None and recorded.by is SetBy.LOSS:
            self._problems.report(_TOPIC, Problem("the history is missing", _LOST, Effect.TOLD))
        if self._config.insist:
            self._record(self._config.confirm, SetBy.COMMAND_LINE)
            return SetBy.COMMAND_LINE
        if recorded is None:
            return None
        self.recorded = recorded
        self._config.confirm = recorded.level
        return recorded.by

    def _changed(self) -> None:
        """Somebody has set a level, perhaps the same one."""
        self._cancel_release()
        self._problems.clear(_TOPIC)
        self._record(self._config.confirm, SetBy.PERSON)
        self._commit()

    def _record(self, level: Level | None, by: SetBy) -> None:
        self._store.remember(_SETTING, Recorded(level, by).to_text())

    def _release(self) -> None:
        self._release_timer = None
        self._config.forget(self._changed)
        self._config.confirm = None
        self._config.listen_to_confirm(self._changed)

    def _cancel_release(self) -> None:
        if self._release_timer is not None:
            self._release_timer.cancel()
            self._release_timer = None


def stricter(level: Level | None, other: Level) -> Level:
    """The one of two levels at which more waits."""
    return other if level is None else min(level, other)
