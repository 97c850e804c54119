"""The trust of a job: the stages for which it works, and what follows from that."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pycurrent.engine.confined import confined
from pycurrent.engine.job import Job
from pycurrent.engine.level import Level
from pycurrent.term import TRUSTED, Failure, Trust, Untrusted

if TYPE_CHECKING:
    from pycurrent.engine.command import CommandOptions
    from pycurrent.engine.job_host import JobHost


class JobTrust(Job):
    """A job as far as it is trusted. Its owner knows for whom it works."""

    __slots__ = ()

    host: JobHost

    @property
    @abstractmethod
    def trusts(self) -> Sequence[Untrusted]:
        """The untrusted sources and commits for which it works; none if it works for ours."""

    @property
    def confirmation_level(self) -> Level | None:
        """The level at which it asks for confirmation: one higher if it may run untrusted code."""
        level = self.level
        return level if level is None or self.is_trusted else level.next_higher

    @property
    def trust(self) -> Trust:
        trusts = self.trusts
        return trusts[0] if trusts else TRUSTED

    @property
    def unapproved(self) -> Untrusted | None:
        """The commit that people have to approve before its work may begin; None if none is left.
        Where several are to have its result, the approval of one will do.
        """
        if self.is_trusted:
            return None
        trusts = self.trusts
        return None if any(map(self.host.approved.covers, trusts)) else trusts[0]

    @property
    def needs_sandbox(self) -> bool:
        trusts = self.trusts
        return not self.is_trusted and any(trust.sandbox for trust in trusts)

    def confine(self, options: CommandOptions) -> CommandOptions:
        """The options of a command in untrusted work. Raises `Failure` if it needs a sandbox."""
        if self.needs_sandbox and not options.get("trusted"):
            self.refuse_untrusted(
                "untrusted work runs commands in a sandbox only: use command.run, or say"
                " trusted=True of a command that runs nothing of it"
            )
        return {**options, "env": confined(options.get("env"))}

    def refuse_untrusted(self, what: str) -> None:
        if not self.is_trusted:
            raise Failure(f"{what} ({self.trust})")
