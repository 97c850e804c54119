"""The acts by which people change what an engine does: what they set, fire, pin, pause and
mute.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import EllipsisType
from typing import TYPE_CHECKING

from pycurrent.engine import Asker, Level, Mute, MuteSubject, OpenEngine, Pausable, Pause
from pycurrent.engine.approvals import Approval

if TYPE_CHECKING:
    from datetime import datetime

    from pycurrent.engine.pinnable import Pin


class PeopleActs(ABC):
    """The acts, as a part of the public engine: if it is not open, all raise `PycurrentError`."""

    @property
    @abstractmethod
    def opened(self) -> OpenEngine:
        """The open engine."""

    def set_input(
        self, name: str, value: object, *, by: Asker | str | None = None, reason: str | None = None
    ) -> None:
        """Set the `Input` with this name, from the next step on and over restarts, until it is set
        again. On disk when it returns. `by` names who asks.

        Raises `UsageError`, and changes nothing, if the pipeline uses no such input, or if the
        value is not of its type.
        """
        from pycurrent.cache import Inputs  # few pipelines have any

        self.opened.service(Inputs).set(name, value, by=by, reason=reason)

    def fire(
        self, name: str, params: object, *, by: Asker | str | None = None, reason: str | None = None
    ) -> int:
        """Fire the `Trigger` with this name; gives the number of the firing. On disk when it
        returns. `by` names who asks.

        Raises `UsageError`, and fires nothing, if the pipeline uses no such trigger, or if the
        parameters are not of its dataclass.
        """
        from pycurrent.cache import Triggers  # few pipelines have any

        return self.opened.service(Triggers).fire(name, params, by=by, reason=reason)

    def pin(
        self,
        path: str,
        to: object | EllipsisType = ...,
        *,
        change: int | None = None,
        job: str | None = None,
        by: Asker | str | None = None,
        reason: str | None = None,
        until: datetime | None = None,
    ) -> None:
        """Hold a stage, given by its path, at a value that it has had, or by default at its present
        one, from the next step on and over restarts. On disk when it returns.

        The stage is an input: a monitor, an `Input`, or a builder with a schedule. `to` is the
        value, or a text that names it, such as the beginning of a commit's hash; instead of it,
        `change` is the number of the change by which it came, and `job` the job that has made it.
        `until`, which is aware, is when the pin ends by itself. `by` names who asks.

        A step that is unfinished is finished first. Raises `UsageError`, and changes nothing, if
        there is no such stage or value, or if only the order of building tells the stage from
        another one.
        """
        from pycurrent.engine.pins import Pins  # many runs have none

        self.opened.service(Pins).pin(
            path, to=to, change=change, job=job, by=by, reason=reason, until=until
        )

    def unpin(self, path: str, *, by: Asker | str | None = None, reason: str | None = None) -> None:
        """End a pin: the stage has the newest value of its input from the next step on. On disk
        when it returns. Raises `UsageError` if the stage is not pinned.
        """
        from pycurrent.engine.pins import Pins

        self.opened.service(Pins).unpin(path, by=by, reason=reason)

    def verify(
        self, subject: str, *, by: Asker | str | None = None, reason: str | None = None
    ) -> tuple[str, ...]:
        """Ask operations whether results are still there; what is lost is made again. Meanwhile the
        stages are running. Gives the ids of the jobs that have made these results.

        `subject` is the path of a stage, the id of a job, or that of an operation: then it is about
        all its results that the pipeline uses now. A result that is being made and a failure are
        left out. `by` names who asks.

        A step that is unfinished is finished first. Raises `UsageError` if nothing of this name is
        used, or if the operation has no method `still_there`.
        """
        from pycurrent.cache import Verifier  # few ask for it

        return self.opened.service(Verifier).verify(subject, by=by, reason=reason)

    @property
    def pins(self) -> tuple[Pin, ...]:
        """The pins, by path; also those whose stages are not needed now."""
        from pycurrent.engine.pins import Pins

        return self.opened.service(Pins).all()

    def pause(
        self,
        path: str | None = None,
        *,
        level: Level | str | None = None,
        pool: str | None = None,
        by: Asker | str | None = None,
        reason: str | None = None,
        until: datetime | None = None,
    ) -> None:
        """Have all jobs of a level, or of a pool, or for the stages at a path and below it, wait
        that have not begun: until somebody resumes the same, or until a time (aware), also over
        restarts. On disk when it returns. In place of an earlier pause of the same.

        Give one of the three. A job that other stages want as well is not paused by a path. Raises
        `UsageError`, and changes nothing, if a path leads to no living stage, or to one that only
        the order of building tells from others, or if `until` has passed. `by` names who asks.
        """
        what = Pausable.of(path, level, pool)
        self.opened.finish_step()
        self.opened.pauses.pause(what, by=by, reason=reason, until=until)

    def resume(
        self,
        path: str | None = None,
        *,
        level: Level | str | None = None,
        pool: str | None = None,
        by: Asker | str | None = None,
        reason: str | None = None,
    ) -> None:
        """End a pause: its jobs go on, by and by, unless something else is paused for them.

        Raises `UsageError` if exactly this is not paused.
        """
        self.opened.pauses.resume(Pausable.of(path, level, pool), by=by, reason=reason)

    def mute(
        self,
        path: str | None = None,
        *,
        fingerprint: str | None = None,
        owner: str | None = None,
        by: Asker | str | None = None,
        reason: str | None = None,
        until: datetime | None = None,
    ) -> None:
        """Have the failures of a stage, given by its path, or those with a fingerprint, not fail
        what is above, from the next step on and over restarts. On disk when it returns. In place of
        an earlier mute of the same.

        The stage runs and is shown as before. Its failure is left out of what needs no value of it:
        `all`, the items of `list_iter` and `option_iter`, `ignore`, and a gate, which is open.
        Stages that need a value stay blocked. The mute ends after 20 passes in a row, and at
        `until` (aware), by default in 30 days, which is the most there is.

        `owner` is to fix it, by default the one who asks, whom `by` names; `reason` has to be
        given. Of a fingerprint the beginning will do. Raises `UsageError`, and changes nothing, if
        no living stage has the path, if only the order of building tells it from others, if no
        failure with the fingerprint is recorded, or if the owner or the reason is missing.
        """
        what = MuteSubject.of(path, fingerprint)
        self.opened.mutes.mute(what, owner=owner, by=by, reason=reason, until=until)

    def unmute(
        self,
        path: str | None = None,
        *,
        fingerprint: str | None = None,
        by: Asker | str | None = None,
        reason: str | None = None,
    ) -> None:
        """End a mute, from the next step on. On disk when it returns. Raises `UsageError` if it is
        not muted.
        """
        what = MuteSubject.of(path, fingerprint)
        self.opened.mutes.unmute(what, by=by, reason=reason)

    def approve_commit(
        self, commit: str, *, by: Asker | str | None = None, reason: str | None = None
    ) -> None:
        """Let the untrusted work of exactly this commit begin, from now on and over restarts, as
        far as its level allows. On disk when it returns. It stays untrusted; the next commit of the
        same pull request waits again. Twice is fine.

        `by` names who asks. Raises `UsageError`, and changes nothing, unless `commit` is the whole
        hash of one.
        """
        self.opened.approvals.approve(commit, by=by, reason=reason)

    def withdraw_commit(
        self, commit: str, *, by: Asker | str | None = None, reason: str | None = None
    ) -> None:
        """Take the approval of a commit back: its work waits from now on. Work that was let go
        already goes on. On disk when it returns. Raises `UsageError` if the commit is not approved.
        """
        self.opened.approvals.withdraw(commit, by=by, reason=reason)

    @property
    def approvals(self) -> tuple[Approval, ...]:
        """The approvals of commits, by commit."""
        return self.opened.approvals.all()

    @property
    def mutes(self) -> tuple[Mute, ...]:
        """The mutes, sorted by what is muted; also those of stages that are not needed now."""
        return self.opened.mutes.all()

    @property
    def pauses(self) -> tuple[Pause, ...]:
        """The pauses that are in force, sorted by what is paused."""
        return self.opened.pauses.all()
