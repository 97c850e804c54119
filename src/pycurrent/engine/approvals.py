"""The approval of commits: untrusted work waits until people have approved exactly its commit.

An approval lets work begin, and makes nothing trusted. It is recorded among what people set (see
`overrides.py`), so it counts after a restart, too; the commit that is pushed next has none.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Self

from msgspec import Struct

from pycurrent.engine.audit import Asker
from pycurrent.engine.overrides import Overrides
from pycurrent.engine.thread import LoopThread
from pycurrent.errors import UsageError
from pycurrent.store import OverrideKind, OverrideRecord
from pycurrent.term import Untrusted, is_commit, shown


class Approval(Struct, frozen=True):
    """The approval of a commit."""

    commit: str
    by: str | None
    """The person who has given it; None if code has, and did not say for whom."""
    at: datetime
    reason: str | None

    @classmethod
    def of(cls, record: OverrideRecord) -> Self:
        return cls(record.subject, record.by, record.at, record.reason)


class ApprovedCommits:
    """The commits that are approved in one engine, as its jobs see them."""

    def __init__(self) -> None:
        self._commits: set[str] = set()
        self._waiting: dict[Callable[[], None], None] = {}

    def covers(self, trust: Untrusted) -> bool:
        """True if its work need not wait."""
        return not trust.approval or trust.commit in self._commits

    def put(self, commit: str, *, is_approved: bool) -> None:
        """Take in that a commit is approved, or is not any more; those who wait may look."""
        if is_approved:
            self._commits.add(commit)
        else:
            self._commits.discard(commit)
        for look in list(self._waiting):
            look()

    def wait(self, look: Callable[[], None]) -> None:
        """Have `look()` called after each change until `forget`. Twice is as good as once."""
        self._waiting[look] = None

    def forget(self, look: Callable[[], None]) -> bool:
        """It waits no more. Returns False if it has not waited."""
        return self._waiting.pop(look, look) is None


class CommitApprovals:
    """The approvals that people give. Belongs to the thread of the event loop."""

    def __init__(self, overrides: Overrides, approved: ApprovedCommits, thread: LoopThread) -> None:
        self._overrides = overrides
        self._approved = approved
        self._thread = thread
        for record in overrides.all(OverrideKind.APPROVAL):
            approved.put(record.subject, is_approved=True)
        overrides.listen(OverrideKind.APPROVAL, self._changed)

    def all(self) -> tuple[Approval, ...]:
        """The approvals, by commit."""
        return tuple(map(Approval.of, self._overrides.all(OverrideKind.APPROVAL)))

    def get(self, commit: str) -> Approval | None:
        """The approval of the commit with this whole hash; None if it has none."""
        record = self._overrides.get(OverrideKind.APPROVAL, commit)
        return None if record is None else Approval.of(record)

    def approve(
        self, commit: str, *, by: Asker | str | None = None, reason: str | None = None
    ) -> Approval:
        """Let untrusted work of exactly this commit begin. On disk when it returns. Twice is fine.

        Raises `UsageError` unless it is the whole hash.
        """
        self._thread.check("engine.approve_commit")
        commit = _checked(commit)
        before = self._overrides.get(OverrideKind.APPROVAL, commit)
        if before is None:
            before = self._overrides.set(
                OverrideKind.APPROVAL, commit, None, before=None, by=by, reason=reason
            )
        return Approval.of(before)

    def withdraw(
        self, commit: str, *, by: Asker | str | None = None, reason: str | None = None
    ) -> Approval:
        """Take an approval back: work that has not begun waits again. Gives the approval.

        Raises `UsageError` if the commit is not approved.
        """
        self._thread.check("engine.withdraw_commit")
        commit = _checked(commit)
        removed = self._overrides.remove(OverrideKind.APPROVAL, commit, by=by, reason=reason)
        if removed is None:
            raise UsageError(f"commit {commit} is not approved")
        return Approval.of(removed)

    def _changed(self, commit: str) -> None:
        found = self._overrides.get(OverrideKind.APPROVAL, commit)
        self._approved.put(commit, is_approved=found is not None)


def _checked(commit: str) -> str:
    text = commit.strip().lower() if isinstance(commit, str) else ""
    if not is_commit(text):
        raise UsageError(
            f"{shown(commit)} is not the whole hash of a commit: give all of its 40 or 64 digits,"
            " as the beginning may be that of another commit, too"
        )
    return text


def waiting_for_approval(trust: Untrusted) -> str:
    """The words for what waits."""
    return f"{trust} waits for approval"
