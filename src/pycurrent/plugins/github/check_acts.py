"""The buttons of checks: what people ask for on GitHub, obeyed if they may write to the repository.

Only checks of our own App count, and only as long as the pipeline has their stage.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from pycurrent.cache import Handle, Use
from pycurrent.engine import Asker
from pycurrent.plugins.forge.links import ForgeLink
from pycurrent.plugins.forge.values import Permission, Repository, part_of
from pycurrent.plugins.github.check import GithubCheck
from pycurrent.plugins.github.check_api import CheckApi
from pycurrent.plugins.github.check_text import explained_again
from pycurrent.plugins.github.check_values import CheckPart, ShownCheck
from pycurrent.term import Failed, FailureKind, Stage, State

if TYPE_CHECKING:
    from pycurrent.facade import Engine
    from pycurrent.incr import Node

_LOOKED_AT = 2000
"""How many nodes are looked at to find the jobs behind a check."""
_MOST = 10
"""How many jobs are explained."""

_log = logging.getLogger(__name__)


class Ask(Enum):
    """The acts that can be asked for; the values of the first three identify buttons."""

    RERUN = "rerun"
    RERUN_INFRA = "rerun-infra"
    EXPLAIN = "explain"
    RERUN_ALL = "rerun-all"
    """All checks of a commit."""


@dataclass(frozen=True, slots=True)
class CheckAct:
    """A button of a check, or of all checks of a commit, that somebody has pressed."""

    ask: Ask
    repository: str
    """Its path."""
    commit: str
    app: int
    """The App whose check it is."""
    person: str
    path: str = ""
    """The path of the check's stage."""
    run: int = 0
    """The id of the check run."""

    def __str__(self) -> str:
        return f"{self.ask.value} of {self.person} in {self.repository}"

    async def obey(self, link: ForgeLink, engine: Engine) -> None:
        """Do it, if the person may. Raises `Failure`."""
        api, repository = link.api, link.known(self.repository)
        checks = getattr(api, "checks", None)
        if not isinstance(checks, CheckApi) or repository is None:
            return
        if await checks.app() != self.app:
            return
        if await api.permission(repository, self.person) < Permission.WRITE:
            _log.warning("%s: only people who may write to it can ask for that", self)
            return
        jobs = list(dict.fromkeys(self._jobs(engine)))
        if self.ask is Ask.EXPLAIN:
            await self._explain(checks, repository, jobs, engine)
            return
        asker = Asker(self.person, via=api.kind)
        for job in jobs:
            handle = engine.jobs.get(job)
            if isinstance(handle, Handle):
                reason = f"{self.ask.value} on GitHub"
                handle.acts.rebuild(handle.op, handle.digest, job_id=job, by=asker, reason=reason)

    def _jobs(self, engine: Engine) -> Iterator[str]:
        """The jobs that it is about."""
        opened = engine.opened
        opened.finish_step()
        if self.ask is Ask.RERUN_ALL:
            stages = list(opened.live.stages())
        else:
            found = opened.live.find(self.path)
            stages = [] if found is None else [found]
        for stage in stages:
            use = None if stage.subscription is None else stage.subscription.innermost
            is_check = isinstance(use, Use) and use.instance.op_type.id == GithubCheck.id
            if isinstance(use, Use) and is_check and use.own_labels.get("commit") == self.commit:
                yield from self._behind(stage, use.target.value)

    def _behind(self, stage: Stage, check: ShownCheck) -> Iterator[str]:
        wanted: Iterable[CheckPart] = check.parts
        if self.ask is Ask.RERUN_INFRA:
            wanted = [part for part in check.failed if part.is_infra]
        elif self.ask is not Ask.RERUN_ALL:
            wanted = check.failed or check.parts
        for part in wanted:
            if part.job is not None:
                yield part.job
        if any(part.job is None for part in wanted):
            # Of several stages together, or of a decision, no one job is known.
            found = [*_nearest(stage)]
            failed = [one for one in found if one.state is State.FAILED]
            if self.ask is Ask.RERUN_INFRA:
                found = [one for one in failed if _is_infra(one)]
            elif self.ask is not Ask.RERUN_ALL:
                found = failed or found
            yield from (one.status.job_id for one in found if one.status.job_id is not None)

    async def _explain(
        self, checks: CheckApi, repository: Repository, jobs: list[str], engine: Engine
    ) -> None:
        """Have the check itself say why its jobs are as they are now."""
        run = await checks.run(repository, self.run)
        if run is not None and jobs:
            whys = [str(engine.why(job)) for job in jobs[:_MOST]]
            title, summary, text = (str(part) for part in run.shows[-3:])
            output = {"title": title, "summary": summary, "text": explained_again(text, whys)}
            await checks.change(repository, run, {"output": output})


def _nearest(stage: Stage) -> Iterator[Stage]:
    """The nearest stages with jobs of which a stage tells."""
    seen: set[Node] = set()
    stack = [*stage.inputs()]
    while stack and len(seen) < _LOOKED_AT:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        is_one = isinstance(node, Stage) and node.state is not State.BLOCKED
        if isinstance(node, Stage) and is_one and node.status.job_id is not None:
            yield node
        else:
            stack.extend(node.inputs())


def _is_infra(stage: Stage) -> bool:
    return isinstance(stage.absent, Failed) and stage.absent.kind is FailureKind.INFRA


def act_of(event: str, told: Mapping[str, Any]) -> CheckAct | None:
    """The act that a delivery asks for; None if it asks for none, or is not what it should be."""
    ask = _asked(event, told)
    part = told.get(event)
    if ask is None or not isinstance(part, dict):
        return None
    repository, person = part_of(told, "repository", "full_name"), part_of(told, "sender", "login")
    app, commit = part_of(part, "app", "id"), part.get("head_sha")
    path, run = part.get("external_id"), part.get("id")
    texts_are_there = isinstance(repository, str) and isinstance(person, str)
    if not (texts_are_there and isinstance(commit, str) and isinstance(app, int)):
        return None
    return CheckAct(
        ask=ask,
        repository=str(repository),
        commit=commit,
        app=app,
        person=str(person),
        path=path if isinstance(path, str) else "",
        run=run if isinstance(run, int) else 0,
    )


def _asked(event: str, told: Mapping[str, Any]) -> Ask | None:
    match event, told.get("action"):
        case "check_run", "rerequested":
            return Ask.RERUN
        case "check_run", "requested_action":
            wanted = part_of(told, "requested_action", "identifier")
            buttons = (Ask.RERUN, Ask.RERUN_INFRA, Ask.EXPLAIN)
            return next((ask for ask in buttons if ask.value == wanted), None)
        case "check_suite", "rerequested":
            return Ask.RERUN_ALL
        case _:
            return None
