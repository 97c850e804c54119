"""Statuses of commits on a forge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from pycurrent.cache import Publisher
from pycurrent.engine import Job
from pycurrent.engine.limits import Limits
from pycurrent.plugins.forge.api import ForgeApi
from pycurrent.plugins.forge.limit import asking
from pycurrent.plugins.forge.links import ForgeLink
from pycurrent.plugins.forge.values import (
    Branch,
    Change,
    Ref,
    Repository,
    Status,
    Tag,
    Verdict,
)

_HEADS, _TAGS = "refs/heads/", "refs/tags/"
_GONE = "the pipeline has no such stage any more"


@dataclass(frozen=True, slots=True)
class StatusKey:
    """The place of a status: a commit, and a name. The ref by which the commit was seen is a part
    of it, as some forges want to know it.
    """

    site: str
    repository: str
    """Its path."""
    id: str
    """The id of the repository."""
    account: str
    ref: str
    commit: str
    context: str

    @classmethod
    def of(cls, ref: Ref, context: str) -> StatusKey:
        home = ref.repository
        return cls(home.site, home.path, home.id, home.account, ref.ref, ref.hash, context)

    def as_ref(self) -> Ref:
        """The ref, as far as a status needs it."""
        home = Repository(
            site=self.site,
            id=self.id,
            path=self.repository,
            clone_url=f"{self.site}/{self.repository}.git",
            web_url=f"{self.site}/{self.repository}",
            default_branch=None,
            account=self.account,
        )
        if self.ref.startswith(_HEADS):
            return Branch(home, self.ref.removeprefix(_HEADS), self.commit)
        if self.ref.startswith(_TAGS):
            return Tag(home, self.ref.removeprefix(_TAGS), self.commit)
        number = next((int(part) for part in self.ref.split("/") if part.isdecimal()), 0)
        return Change(
            repository=home,
            number=number,
            ref=self.ref,
            hash=self.commit,
            title="",
            author="",
            base="",
            source="",
            branch="",
            web_url=home.web_url,
        )


@dataclass(frozen=True, slots=True)
class ForgeStatus(Publisher[StatusKey, Status, None]):
    """Sets a status of a commit, unless the forge shows it already."""

    id: ClassVar[str] = "forge-status"
    for_untrusted: ClassVar[bool] = True

    link: ForgeLink
    limits: Limits
    page: Callable[[], str | None]
    """Where a status without an address leads people: the page of its stage, if that is known."""

    def describe(self, key: StatusKey, value: Status) -> str:
        where = f"{key.commit[:10]} in {key.repository}"
        return f"set {key.context} of {where}: {value.verdict.value}"

    def labels(self, key: StatusKey, value: Status) -> Mapping[str, str]:
        return {"repo": key.repository, "commit": key.commit}

    async def publish(self, job: Job, key: StatusKey, value: Status) -> None:
        shown = value if value.url is not None else replace(value, url=self.page())
        with asking(job):
            await _say(job, self.link.api, key.as_ref(), shown)

    async def retire(self, job: Job, key: StatusKey, outcome: None) -> None:
        """Complete a status that would stay pending for good."""
        ref, api = key.as_ref(), self.link.api_at(key.site)
        with asking(job):
            shown = await api.status(ref, key.context)
            if shown is None or shown.verdict not in (Verdict.PENDING, Verdict.RUNNING):
                job.log("It is completed, or gone: nothing to do")
                return
            cancelled = replace(shown, verdict=Verdict.CANCELLED, description=_GONE)
            await _say(job, api, ref, cancelled)


async def _say(job: Job, api: ForgeApi, ref: Ref, status: Status) -> None:
    # A killed engine may have set it without a record of that.
    if await api.status(ref, status.context) == api.as_shown(status):
        job.log(f"{api.site} shows it already")
        return
    await api.set_status(ref, status)
    job.log(f"{status.context}: {status.verdict.value}: {status.description}")
