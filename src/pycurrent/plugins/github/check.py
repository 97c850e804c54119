"""Checks of commits, as a GitHub App makes them.

A check is a check run, found again by its name and its external id, the path of its stage; so no
engine makes a second one for the same attempt. Another attempt, which begins after a run was
completed, has a run of its own: GitHub shows the newest of each name, and a run would keep
the annotations of its last attempt. A completed run is only changed if all its annotations hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pycurrent.cache import Publisher
from pycurrent.engine import Job
from pycurrent.engine.job_details import DetailsReader
from pycurrent.engine.limits import Limits
from pycurrent.engine.site_links import SiteLinks
from pycurrent.plugins.forge.limit import asking
from pycurrent.plugins.forge.status import StatusKey
from pycurrent.plugins.github.check_api import CheckApi, remark_of, shown_by
from pycurrent.plugins.github.check_text import (
    BATCH,
    Explained,
    annotation_body,
    near,
    summary_of,
    text_of,
)
from pycurrent.plugins.github.check_values import CheckPart, CheckState, ShownCheck
from pycurrent.plugins.github.orphans import GONE, cancelling
from pycurrent.store import Annotation

_MOST_JOBS = 20
"""How many failed jobs a check explains."""
_MOST_ANNOTATIONS = 500
"""How many annotations all of them have together."""


@dataclass(frozen=True, slots=True)
class GithubCheck(Publisher[StatusKey, ShownCheck, int]):
    """Shows on GitHub, as a check run, what currents amount to. Gives the id of the run."""

    id: ClassVar[str] = "github-check"
    for_untrusted: ClassVar[bool] = True

    checks_at: Callable[[str], CheckApi]
    """Gives the calls of the App at an address: any stage's operation retires what has gone."""
    limits: Limits
    path: str
    """The path of the stage."""
    links: SiteLinks
    details: DetailsReader

    def describe(self, key: StatusKey, value: ShownCheck) -> str:
        where = f"{key.commit[:10]} in {key.repository}"
        return f"check {key.context} of {where}: {value.state.value}"

    def labels(self, key: StatusKey, value: ShownCheck) -> Mapping[str, str]:
        return {"repo": key.repository, "commit": key.commit}

    async def publish(self, job: Job, key: StatusKey, value: ShownCheck) -> int:
        failed = _failed(value)
        explained = await self._explained(failed[:_MOST_JOBS])
        more = len(failed[_MOST_JOBS:]) + sum(part.more for part in value.failed)
        body = self._body(value, explained, more)
        found = _annotations([*_found_by(explained), *await self._of_passed(value)])
        annotations = [annotation_body(one) for one in found]
        home, api = key.as_ref().repository, self.checks_at(key.site)
        with asking(job):
            # A killed engine may have made it without a record of that.
            run = await api.newest(home, key.commit, key.context, self.path)
            if run is not None and run.is_completed and not value.state.is_completed:
                run = None
            if run is not None:
                there = await api.annotations(home, run)
                if run.is_completed and not there <= set(map(remark_of, annotations)):
                    run = None  # Nothing takes an annotation back.
                else:
                    annotations = [one for one in annotations if remark_of(one) not in there]
            if run is None:
                first = {"name": key.context, "head_sha": key.commit, "external_id": self.path}
                run = await api.make(home, {**first, **_with(body, annotations[:BATCH])})
                job.log(f"Made the check run {run.id}: {value.title}")
            elif run.shows != shown_by(body) or annotations:
                run = await api.change(home, run, _with(body, annotations[:BATCH]))
                job.log(f"Changed the check run {run.id}: {value.title}")
            else:
                job.log(f"The check run {run.id} shows it already")
            for start in range(BATCH, len(annotations), BATCH):
                batch = annotations[start : start + BATCH]
                run = await api.change(home, run, _with(body, batch))
        return run.id

    async def retire(self, job: Job, key: StatusKey, outcome: int) -> None:
        """Complete a check run that would stay pending for good."""
        home, api = key.as_ref().repository, self.checks_at(key.site)
        with asking(job):
            run = await api.run(home, outcome)
            if run is None or run.is_completed:
                job.log("It is completed, or gone: nothing to do")
                return
            await api.change(home, run, cancelling())
            job.log(f"The check run {run.id} is cancelled: {GONE}")

    async def _explained(self, failed: Sequence[CheckPart]) -> list[Explained]:
        """All that is known of what has failed: the parts, or the stages below them."""
        found: list[Explained] = []
        for one in failed:
            details = None if one.job is None else await self.details.of(one.job)
            if details is not None or one.is_stage:
                name = near(one.name, self.path) if one.is_stage else one.name
                found.append(Explained(one, name, details))
        return found

    async def _of_passed(self, value: ShownCheck) -> list[Annotation]:
        """The annotations of jobs that have passed."""
        found: list[Annotation] = []
        for part in value.parts[:_MOST_JOBS]:
            if part.state is CheckState.SUCCESS and part.job is not None:
                details = await self.details.of(part.job)
                found += () if details is None else details.annotations
        return found

    def _body(self, value: ShownCheck, explained: list[Explained], more: int) -> dict[str, Any]:
        state = value.state
        output = {"title": value.title, "summary": summary_of(value, self.links, self.path)}
        if explained:
            output["text"] = text_of(explained, more, self.links)
        body: dict[str, Any] = {"status": state.value, "output": output}
        if state.is_completed:
            body |= {"status": "completed", "conclusion": state.value, "actions": _actions(value)}
        url = value.url if value.url is not None else self.links.stage(self.path)
        return body if url is None else {**body, "details_url": url}


def _failed(value: ShownCheck) -> list[CheckPart]:
    """The parts that have failed, or the stages below them; those that share a job once."""
    found: dict[str | int, CheckPart] = {}
    for part in value.failed:
        for one in part.below or (part,):
            found.setdefault(one.job or id(one), one)
    return list(found.values())


def _found_by(explained: Sequence[Explained]) -> Iterator[Annotation]:
    for one in explained:
        if one.details is not None:
            yield from one.details.annotations


def _annotations(found: Iterable[Annotation]) -> list[Annotation]:
    """The annotations of files, in order; what several jobs find is one."""
    of_files = dict.fromkeys(one for one in found if one.path is not None)
    return list(of_files)[:_MOST_ANNOTATIONS]


def _actions(value: ShownCheck) -> list[dict[str, str]]:
    """The buttons: GitHub takes three, and texts of 20 and 40 characters."""
    if not value.failed:
        return []
    buttons = [
        ("rerun", "Rerun", "Run again what has failed"),
        ("explain", "Explain", "Say here why it is so"),
    ]
    if any(part.infra for part in value.failed):
        infra = "Only what the infrastructure has failed"
        buttons.insert(1, ("rerun-infra", "Rerun infra failures", infra))
    return [
        {"identifier": id, "label": label, "description": description}
        for id, label, description in buttons
    ]


def _with(body: dict[str, Any], annotations: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A request with some annotations."""
    if not annotations:
        return body
    return {**body, "output": {**body["output"], "annotations": annotations}}
