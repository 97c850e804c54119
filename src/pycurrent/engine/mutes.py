"""Mutes: failures that people know of, and that are not to fail what is above.

A mute is an override (see `overrides.py`) of a stage, by its path, or of all failures with one
fingerprint. The stage runs and is shown as before. Its failure carries a mark: terms that need no
value of the stage go on without it, and terms that need one stay blocked (see `Muted`). A mute ends
at its time, or once its stages have passed often enough in a row.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Self

from msgspec import Struct

from pycurrent.engine.audit import Asker
from pycurrent.engine.clock import instant
from pycurrent.errors import UsageError, WrongKind
from pycurrent.store import OverrideKind, OverrideRecord, StoreError
from pycurrent.term import (
    Metadata,
    MuteMark,
    Stage,
    StageRef,
    shown,
    untold_path,
    untold_paths,
)

if TYPE_CHECKING:
    from pycurrent.engine.changes import Ids
    from pycurrent.engine.open_engine import OpenEngine
    from pycurrent.store import FailureGroup

LONGEST = timedelta(days=30)
"""How long a mute holds at most, and if nobody says until when."""
ENOUGH = 20
"""After so many passes in a row it ends."""
_RUNS = 5
"""Runs of a stage that are looked at to find its last failure."""

_PASSES = Asker("pycurrent", via="passes")
"""The one who ends what has passed often enough, as the audit names it."""

_log = logging.getLogger(__name__)


class MuteKind(Enum):
    """The kind of a thing that can be muted."""

    PATH = "path"
    """A stage."""
    FINGERPRINT = "fingerprint"
    """All failures with one cause."""


class MuteSubject(Struct, frozen=True):
    """A thing that can be muted."""

    kind: MuteKind
    name: str
    """The path of the stage, or the fingerprint."""

    def __str__(self) -> str:
        return f"{self.kind.value} {self.name}"

    @classmethod
    def of(cls, path: str | None = None, fingerprint: str | None = None) -> Self:
        """The one thing that is named. Raises `UsageError` for none, and for both."""
        named = {MuteKind.PATH: path, MuteKind.FINGERPRINT: fingerprint}
        given = [(kind, name) for kind, name in named.items() if name is not None]
        if len(given) != 1:
            raise UsageError("give one of a path and fingerprint=")
        ((kind, name),) = given
        if not isinstance(name, str):
            raise WrongKind(f"{kind.value}= takes a text, not {shown(name)}")
        if not name:
            raise UsageError(f"{kind.value}= takes a name, not an empty text")
        return cls(kind, name)

    @classmethod
    def of_text(cls, text: str) -> Self:
        """The one whose text this is."""
        kind, _, name = text.partition(" ")
        return cls(MuteKind(kind), name)


class Mute(Struct, frozen=True, kw_only=True):
    """A mute that is in force."""

    what: MuteSubject
    by: str | None
    """The person who has set it; None if code has, and did not say for whom."""
    owner: str
    """The one who is to fix what is muted."""
    at: datetime
    reason: str
    until: datetime
    """When it ends by itself, at the latest."""
    passes: int = 0
    """How often what is muted has passed in a row; the mute ends after 20."""

    def __str__(self) -> str:
        return f"{self.what} is {self.words}"

    @property
    def words(self) -> str:
        """The person, the owner, the end and the reason, in words."""
        by = "" if self.by is None else f" by {self.by}"
        owner = "" if self.owner == self.by else f" for {self.owner}"
        return f"muted{by}{owner} until {instant(self.until)}: {self.reason}"

    @classmethod
    def of(cls, record: OverrideRecord) -> Self:
        """The mute in a record."""
        assert record.until is not None
        return cls(
            what=MuteSubject.of_text(record.subject),
            by=record.by,
            owner=record.owner or record.by or "",
            at=record.at,
            reason=record.reason or "",
            until=record.until,
            passes=record.passes or 0,
        )


class NotMuted(UsageError):
    """Nothing of this name is muted."""

    def __init__(self, what: MuteSubject, muted: list[str]) -> None:
        those = f"muted are {', '.join(muted)}" if muted else "nothing is muted"
        super().__init__(f"{what} is not muted: {those}")


class Mutes:
    """The mutes of one engine. Belongs to the thread of the event loop."""

    def __init__(self, engine: OpenEngine) -> None:
        self._engine = engine
        self._marks: dict[MuteSubject, MuteMark] = {}
        """The marks of those that the stages know of."""
        self._by_stage: dict[str, MuteSubject] = {}
        """The stages that are muted, by their full paths."""
        self._untold: frozenset[tuple[str, ...]] = frozenset()
        """The paths that the muted stages may have if none is told apart from its twins."""
        self._has_fingerprints = False
        self._changes: dict[str, Ids] = {}
        """The changes by which a mute is set or ends that somebody asks for."""
        for record in engine.overrides.all(OverrideKind.MUTE):
            self._put(record.subject)
        self._look()
        engine.overrides.listen(OverrideKind.MUTE, self._changed)
        engine.stage_overrides.follow(OverrideKind.MUTE, lambda record, stages: self._look())

    # For people

    @property
    def are_any(self) -> bool:
        """True if anything is muted. Asked at the end of each job."""
        return self._engine.overrides.are_any(OverrideKind.MUTE)

    def all(self) -> tuple[Mute, ...]:
        """All mutes, sorted by what is muted: also of stages that are not needed now."""
        return tuple(Mute.of(record) for record in self._records())

    def get(self, what: MuteSubject) -> Mute | None:
        """The mute of exactly this; None if it is not muted."""
        record = self._engine.overrides.get(OverrideKind.MUTE, str(what))
        return None if record is None else Mute.of(record)

    def of_mark(self, mark: MuteMark) -> Mute | None:
        """The mute whose mark a failure carries; None if that has ended."""
        subjects = (what for what, known in self._marks.items() if known is mark)
        return next((self.get(what) for what in subjects), None)

    def mute(
        self,
        what: MuteSubject,
        *,
        owner: str | None = None,
        by: Asker | str | None = None,
        reason: str | None = None,
        until: datetime | None = None,
    ) -> Mute:
        """Mute something, in place of an earlier mute of the same. In force from the next step on,
        and on disk when it returns.

        `owner` is by default the one who asks, and `until` (aware) is in 30 days, which is the most
        there is. Raises `UsageError`, and changes nothing, if no stage has the path, if only the
        order of building tells that stage from others, if no failure with the fingerprint is
        recorded, without a reason or an owner, or if `until` has passed or is too far.
        """
        self._engine.thread.check("engine.mute")
        overrides = self._engine.overrides
        end = self._end(until)
        if reason is None or not reason.strip():
            raise UsageError("a mute needs a reason, for those who see the failure: give reason=")
        name = by.name if isinstance(by, Asker) else by
        owner = owner or name
        if not owner:
            raise UsageError("a mute needs an owner, who is to fix it: give owner= or by=")
        what, stage = self._checked(what)
        subject = str(what)
        before = self.get(what)
        self._note_change(subject, by, f"{what} is muted{_said(name, reason)}")
        record = overrides.set(
            OverrideKind.MUTE,
            subject,
            None,
            before=None if before is None else before.words,
            by=by,
            reason=reason,
            until=end,
            owner=owner,
            passes=0,
            stage=stage,
        )
        return Mute.of(record)

    def unmute(
        self, what: MuteSubject, *, by: Asker | str | None = None, reason: str | None = None
    ) -> Mute:
        """Have its failures fail what is above again, from the next step on; gives the mute that
        has ended. Raises `NotMuted`.
        """
        self._engine.thread.check("engine.unmute")
        what = self._whole(what)
        before = self.get(what)
        if before is None:
            raise NotMuted(what, [record.subject for record in self._records()])
        name = by.name if isinstance(by, Asker) else by
        self._note_change(str(what), by, f"{what} is muted no longer{_said(name, reason)}")
        self._engine.overrides.remove(OverrideKind.MUTE, str(what), by=by, reason=reason)
        return before

    def _end(self, until: datetime | None) -> datetime:
        now = self._engine.clock.now()
        end = self._engine.overrides.check_until(until)
        if end is None:
            return now + LONGEST
        if end > now + LONGEST:
            raise UsageError(
                f"until={instant(end)} is too far: a mute holds for {LONGEST.days} days at most,"
                f" until {instant(now + LONGEST)}"
            )
        return end

    def _checked(self, what: MuteSubject) -> tuple[MuteSubject, str | None]:
        """The subject that is to be muted, and the full path of the stage, if it is one."""
        if what.kind is MuteKind.PATH:
            full = self._engine.live.full_path(self._find(what.name))
            return self._by_stage.get(full, what), full
        found = {g.fingerprint for g in self._groups(what.name)}
        if len(found) != 1:
            many = f": {', '.join(sorted(found))}" if found else ""
            raise UsageError(
                f"{len(found) or 'no'} fingerprints of recorded failures begin with"
                f" {what.name!r}{many}: `pycurrent failures` lists them"
            )
        return MuteSubject(MuteKind.FINGERPRINT, found.pop()), None

    def _groups(self, fingerprint: str, stages: int = 0) -> Iterator[FailureGroup]:
        yield from self._engine.store.failures.groups(fingerprint=fingerprint, stages=stages)

    def _whole(self, what: MuteSubject) -> MuteSubject:
        """The subject that is muted, of whose fingerprint only the beginning may be given; that of
        a stage also if it had another path when it was muted.
        """
        if what.kind is MuteKind.PATH and self.get(what) is None:
            stage = self._engine.live.find(what.name)
            full = None if stage is None else self._engine.live.full_path(stage)
            return what if full is None else self._by_stage.get(full, what)
        if what.kind is MuteKind.FINGERPRINT and self.get(what) is None:
            muted = [mute.what for mute in self.all() if mute.what.kind is what.kind]
            found = [one for one in muted if one.name.startswith(what.name)]
            return found[0] if len(found) == 1 else what
        return what

    def _find(self, path: str) -> Stage:
        from pycurrent.engine.pins import NoSuchStage

        self._engine.finish_step()
        live = self._engine.live
        stage = live.find(path)
        if stage is None:
            raise NoSuchStage(path)
        if not live.ref(stage).is_stable:
            raise UsageError(
                f"{path!r} can't be muted, as only the order in which stages are built tells it"
                " from another one: give it a name="
            )
        return stage

    # For those who count passes

    def count(self, what: MuteSubject, passes: int) -> None:
        """Note how often in a row it has passed: the mute ends once that is enough. To be called
        with the end of the job, so that both are recorded together.
        """
        if passes >= ENOUGH:
            self._engine.overrides.remove(
                OverrideKind.MUTE, str(what), by=_PASSES, reason=f"it has passed {passes} times"
            )
        else:
            self._engine.overrides.count_passes(OverrideKind.MUTE, str(what), passes)

    # For the stages

    def of(self, stage: Stage, metadata: Metadata | None) -> MuteMark | None:
        """The mark for a failure of a stage; None if it is not muted."""
        if untold_path(stage.term) in self._untold:
            what = self._by_stage.get(self._engine.live.full_path(stage))
            mark = self._marks.get(what or MuteSubject(MuteKind.PATH, str(stage.stage)))
            if mark is not None:
                return mark
        if self._has_fingerprints and metadata is not None and metadata.job_id is not None:
            found = self._fingerprint(stage, metadata)
            if found is not None:
                return self._marks.get(MuteSubject(MuteKind.FINGERPRINT, found))
        return None

    def _fingerprint(self, stage: Stage, metadata: Metadata) -> str | None:
        """The fingerprint of a stage's failure."""
        assert metadata.job_id is not None
        store = self._engine.store
        try:
            failure = store.failures.of_job(metadata.job_id)
            if failure is None and metadata.update is not None:
                # The failure is the one before the job that is at work.
                runs = store.runs_of_stage(str(stage.stage), limit=_RUNS)
                ended = (store.failures.of_job(run.job_id) for run in runs if run.ended is not None)
                failure = next(ended, None)
        except StoreError as error:
            _log.warning("the fingerprint of job %s can't be read: %s", metadata.job_id, error)
            return None
        return None if failure is None else failure.fingerprint

    def _changed(self, subject: str) -> None:
        """A mute was set, or has ended."""
        changes = self._changes.pop(subject, None)
        self._engine.when_step_is_done(lambda: self._apply(subject, changes))

    def _apply(self, subject: str, changes: Ids | None) -> None:
        """Have the failures that a mute is of show it, or show it no longer, in the next step."""
        self._put(subject)
        self._look()
        live = self._engine.live
        nodes = [*live.wrongly_marked()]
        if changes is None:
            changes = self._engine.changes.of_end(f"the mute of {subject} has ended")
        with self._engine.changes.following_from(changes):
            for node in nodes:
                live.account.wake(node)

    def _put(self, subject: str) -> None:
        """Make a new mark for a mute, and end the one before."""
        what = MuteSubject.of_text(subject)
        before = self._marks.pop(what, None)
        if before is not None:
            before.is_over = True
        mute = self.get(what)
        if mute is not None:
            self._marks[what] = MuteMark(mute.words)

    def _look(self) -> None:
        records = [r for r in self._records() if MuteSubject.of_text(r.subject) in self._marks]
        stages = {r.stage: MuteSubject.of_text(r.subject) for r in records if r.stage is not None}
        self._by_stage = stages
        names = map(StageRef.names_in, stages)
        self._untold = frozenset(untold for full in names for untold in untold_paths(full))
        self._has_fingerprints = len(stages) < len(self._marks)
        self._engine.live.account.mutes = self if self._marks else None

    def _records(self) -> tuple[OverrideRecord, ...]:
        return self._engine.overrides.all(OverrideKind.MUTE)

    def _note_change(self, subject: str, by: Asker | str | None, summary: str) -> None:
        self._changes[subject] = self._engine.changes.of_person(by, summary)


def _said(name: str | None, reason: str | None) -> str:
    by = "" if name is None else f", by {name}"
    return by if reason is None else f"{by}: {reason}"
