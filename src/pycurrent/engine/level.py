"""The risk of an operation: from which level on a person is asked, and the wait for the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from enum import EnumType, IntEnum
from itertools import islice
from typing import TYPE_CHECKING, Self

from pycurrent.engine.rebuilds import Rebuilds
from pycurrent.engine.thread import LoopThread
from pycurrent.errors import UsageError, WrongKind
from pycurrent.term import shown

if TYPE_CHECKING:
    from pycurrent.store.keep import Keep, Retention

DEFAULT_JOBS = 500
"""How many jobs may have commands at work at once: more than a machine can do, as many may be
waiting for other machines.
"""

DAILY = timedelta(days=1)
LEASE = timedelta(minutes=10)
"""How long durable commands go on without an engine, by default on the command line."""
SPOOL_MAX_SIZE = 4_000_000_000
"""Bytes that the output of a durable command may take that is in no log yet, by default."""
_NO_TIME = NO_LEASE = timedelta(0)

_AT_ONCE = 200
"""How many jobs are let go before other work comes."""


class _LevelType(EnumType):
    """Tells the levels to those who look for another one."""

    if not TYPE_CHECKING:

        def __getattr__(cls, name):
            members = vars(cls).get("_member_map_", {})
            if name in members:  # In Python 3.11 they are found here.
                return members[name]
            known = ", ".join(members)
            raise AttributeError(f"Level has no {name!r}: it has {known}", name=name, obj=cls)


class Level(IntEnum, metaclass=_LevelType):
    """How risky an operation is. Ordered."""

    HARMLESS = 0
    """It changes nothing that anybody could notice."""
    MOSTLY_HARMLESS = 1
    """It costs a little time or traffic: fetching, pulling."""
    AVERAGE = 2
    """It costs something: building, testing."""
    ABOVE_AVERAGE = 3
    DANGEROUS = 4
    """Others see it: pushing, deploying."""

    @property
    def next_higher(self) -> Level:
        """The level above it; of the highest one itself."""
        return Level(min(self + 1, Level.DANGEROUS))

    def __str__(self) -> str:
        return _TEXTS[self]

    @classmethod
    def parse(cls, text: str) -> Self:
        """The level with this name, as `str` gives it. Raises `UsageError`."""
        for level in cls:
            if str(level) == text.strip().lower().replace("_", "-"):
                return level
        known = ", ".join(str(level) for level in cls)
        raise UsageError(f"{text!r} is not a level: use one of {known}")


_TEXTS = tuple([level.name.lower().replace("_", "-") for level in Level])
"""By their numbers: each job has its level written down several times."""


class Config:
    """Settings of an engine that can be changed while it runs.

    Jobs at the level `confirm`, or above, wait until a person approves them or the level is
    raised; None asks for nothing. A level that is set while the engine runs is recorded, and holds
    after a restart, too: it counts more than `confirm` of this constructor, unless that says
    `insist`.
    Once `auto_release` has passed since the engine started, `confirm` becomes None, if nobody has
    set another level, then or in an earlier run.

    So many `jobs` may have commands at work at once, if the limits of the system allow it; others
    wait for their turn. Raises `UsageError` if that is less than 1.

    `rebuild` has results of earlier runs of the engine made again, once they are needed: `failed`,
    the ids of operations, or patterns for ids or for "id key", such as `test web*`.

    `once` is for an engine that is closed as soon as it has settled: it starts faster, as files are
    not watched, but looked at each second, and before it counts as settled.

    `keep` has rules of retention, made by `keep()`: how long the logs, the files and the tests of
    jobs are kept whose records stay. Saved files may take `files_max_size`, bytes or a text such as
    "50G"; beyond that the oldest go that are not needed. With either, the engine removes what may
    go `gc_every` so often; None leaves that to `pycurrent gc`.

    The checkouts and the files of jobs that fail are kept for `keep_failed`, for `pycurrent shell`;
    None keeps those alone that a job asks for: see `Job.tempdir`.

    With a `lease` the commands of durable jobs go on when the engine is killed, for so long: until
    then the next engine goes on with them. None: they end with the engine. The output of
    one that is in no log yet may take `spool_max_size` of the disk, bytes or a text such as "4G",
    and at most half of what is free there; then the command waits. None: any size.
    """

    def __init__(
        self,
        *,
        confirm: Level | None = None,
        auto_release: timedelta | None = None,
        insist: bool = False,
        jobs: int = DEFAULT_JOBS,
        rebuild: Iterable[str] = (),
        once: bool = False,
        keep: Iterable[Keep] = (),
        files_max_size: int | str | None = None,
        gc_every: timedelta | None = DAILY,
        lease: timedelta | None = None,
        spool_max_size: int | str | None = SPOOL_MAX_SIZE,
        keep_failed: timedelta | None = None,
    ) -> None:
        self._confirm = _level(confirm)
        if auto_release is not None and not isinstance(auto_release, timedelta):
            raise WrongKind(
                f"Config: auto_release= takes a timedelta, not {shown(auto_release)}: write"
                f" timedelta(minutes=10)"
            )
        if not isinstance(insist, bool):
            raise WrongKind(f"Config: insist= takes True or False, not {shown(insist)}")
        if not isinstance(once, bool):
            raise WrongKind(f"Config: once= takes True or False, not {shown(once)}")
        self.auto_release = auto_release
        self.once = once
        self.insist = insist
        self._jobs = _positive(jobs)
        self._retention: Retention | None = None
        if keep or files_max_size is not None:
            self._retention = _retention(keep, files_max_size)
        if gc_every is not None and not (isinstance(gc_every, timedelta) and gc_every > _NO_TIME):
            raise UsageError(
                f"Config: gc_every= takes a time above 0, or None, not {shown(gc_every)}: write"
                f" timedelta(hours=24)"
            )
        self.gc_every = gc_every
        if lease is not None and not (isinstance(lease, timedelta) and lease > _NO_TIME):
            raise UsageError(
                f"Config: lease= takes a time above 0, or None, not {shown(lease)}: write"
                f" timedelta(minutes=10)"
            )
        self.lease = lease
        self.spool_max_size = _spool_size(spool_max_size)
        self.keep_failed = keep_time(keep_failed, "Config: keep_failed=")
        self.rebuilds = Rebuilds(rebuild)
        """The results of earlier runs that are made again."""
        self._listeners: dict[Callable[[], None], None] = {}
        self._of_confirm: dict[Callable[[], None], None] = {}
        self._thread: LoopThread | None = None

    def __repr__(self) -> str:
        confirm, release = self._confirm, self.auto_release
        return f"Config(confirm={confirm!s}, auto_release={release}, jobs={self._jobs})"

    @property
    def confirm(self) -> Level | None:
        """The level from which on jobs wait for confirmation; None for none. Can be set."""
        return self._confirm

    @confirm.setter
    def confirm(self, level: Level | None) -> None:
        self._check_thread("confirm")
        before, self._confirm = self._confirm, _level(level)
        for listener in list(self._of_confirm):
            listener()
        if level != before:
            for listener in list(self._listeners):
                listener()

    @property
    def jobs(self) -> int:
        """How many jobs run commands at once. Can be set."""
        return self._jobs

    @jobs.setter
    def jobs(self, jobs: int) -> None:
        self._check_thread("jobs")
        self._jobs = _positive(jobs)
        for listener in list(self._listeners):
            listener()

    @property
    def retention(self) -> Retention | None:
        """All that is said about retention; None if nothing is."""
        return self._retention

    @property
    def keep(self) -> tuple[Keep, ...]:
        """The rules of retention. Can be set, before the first step of the engine."""
        return () if self._retention is None else self._retention.rules

    @keep.setter
    def keep(self, rules: Iterable[Keep]) -> None:
        self._check_thread("keep")
        limit = None if self._retention is None else self._retention.max_size
        self._retention = _retention(rules, limit)

    def allows(self, level: Level) -> bool:
        """True if a job at this level may start without being approved."""
        return self._confirm is None or level < self._confirm

    def listen(self, changed: Callable[[], None]) -> None:
        """Have `changed` called whenever a setting has changed, until `forget`.

        From then on settings are set in this thread only.
        """
        self._thread = LoopThread()
        self._listeners[changed] = None

    def listen_to_confirm(self, decided: Callable[[], None]) -> None:
        """Have `decided` called whenever somebody has set `confirm`, also to the same level, until
        `forget`. It is called before the listeners of changes.
        """
        self._of_confirm[decided] = None

    def forget(self, listener: Callable[[], None]) -> None:
        """Call a listener no longer. Twice is fine."""
        self._listeners.pop(listener, None)
        self._of_confirm.pop(listener, None)

    def _check_thread(self, setting: str) -> None:
        if self._listeners and self._thread is not None:
            self._thread.check(f"setting Config.{setting}")


def _level(confirm: Level | None) -> Level | None:
    if confirm is not None and not isinstance(confirm, Level):
        raise WrongKind(
            f"Config: confirm= takes a Level, not {shown(confirm)}: write Level.AVERAGE, say"
        )
    return confirm


def _positive(jobs: int) -> int:
    if isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1:
        raise UsageError(f"jobs is how many may run commands at once, 1 or more, not {jobs!r}")
    return jobs


def _spool_size(given: int | str | None) -> int | None:
    if given is None or given == SPOOL_MAX_SIZE:
        return SPOOL_MAX_SIZE if given else None
    from pycurrent.store.byte_size import byte_size

    if not (size := byte_size(given)):
        raise UsageError(
            f"spool_max_size= takes bytes, or a text such as '500M' or '4G', not {shown(given)}"
        )
    return size


def keep_time(keep: timedelta | None, what: str) -> timedelta | None:
    """A time for which folders are kept. Raises `UsageError`, which names it as `what`."""
    if keep is not None and not (isinstance(keep, timedelta) and keep > _NO_TIME):
        raise UsageError(
            f"{what} takes a time above 0, or None, not {shown(keep)}: write timedelta(hours=2)"
        )
    return keep


def _retention(rules: Iterable[Keep], files_max_size: int | str | None) -> Retention:
    from pycurrent.store.keep import retention  # few engines have rules

    return retention(rules, files_max_size)


class Confirmations:
    """The jobs of one engine that wait for confirmation.

    After a change of the settings, jobs that may start are let go by and by, so that the loop goes
    on meanwhile; a job that may not any more when its turn comes goes on waiting.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._waiting: dict[Level, dict[Callable[[], None], None]] = {level: {} for level in Level}
        self._release: asyncio.Handle | None = None
        config.listen(self._reconsider)

    def close(self) -> None:
        """Follow the settings no more. Twice is fine."""
        self._config.forget(self._reconsider)

    def wait(self, level: Level, confirmed: Callable[[], None]) -> None:
        """Have `confirmed` called once a job at this level may start. Twice is as good as once."""
        self._waiting[level][confirmed] = None

    def forget(self, level: Level, confirmed: Callable[[], None]) -> None:
        """It does not wait any more. Twice is fine."""
        self._waiting[level].pop(confirmed, None)

    @property
    def _allowed(self) -> Iterator[tuple[Level, Callable[[], None]]]:
        """The jobs that may start now."""
        for level, waiting in self._waiting.items():
            if self._config.allows(level):
                yield from ((level, confirmed) for confirmed in waiting)

    def _reconsider(self) -> None:
        if self._release is None and any(True for _ in self._allowed):
            self._release = asyncio.get_running_loop().call_soon(self._let_go)

    def _let_go(self) -> None:
        self._release = None
        for level, confirmed in list(islice(self._allowed, _AT_ONCE)):
            self.forget(level, confirmed)
            confirmed()
        self._reconsider()
