"""The buttons of checks: what people ask for on GitHub, obeyed if they may write to the repository.

Only checks of our own App count, and only as long as the pipeline has their stage. A pressed
button is noted with its delivery, so the next engine obeys one that a killed one has left.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from pycurrent.cache import Handle, Use
from pycurrent.engine import Asker
from pycurrent.plugins.forge.built import built
from pycurrent.plugins.forge.links import ForgeLink
from pycurrent.plugins.forge.values import Button, Permission, Press, Repository
from pycurrent.plugins.github.check import GithubCheck
from pycurrent.plugins.github.check_api import CheckApi
from pycurrent.plugins.github.check_text import explained_again
from pycurrent.plugins.github.check_values import CheckPart, ShownCheck
from pycurrent.term import Doubts, Failed, FailureKind, Stage, State

if TYPE_CHECKING:
    from pycurrent.facade import Engine
    from pycurrent.incr import Node

_LOOKED_AT = 2000
"""How many nodes are looked at to find the jobs behind a check."""
_MOST = 10
"""How many jobs are explained."""

_log = logging.getLogger(__name__)


class CheckButtons:
    """Obeys the buttons of an App's checks."""

    def __init__(self, checks: CheckApi) -> None:
        self._checks = checks

    async def obey(self, press: Press, link: ForgeLink, engine: Engine) -> None:
        """See `forge.api.Buttons`."""
        api, repository = link.api, await link.find(press.repository)
        if repository is None or await self._checks.app() != press.app:
            return
        if await api.permission(repository, press.person) < Permission.WRITE:
            _log.warning("%s: only people who may write to it can ask for that", press)
            return
        await built(link, repository, engine, lambda: not _may_come(press, engine))
        jobs = list(dict.fromkeys(_jobs(press, engine)))
        if press.button is Button.EXPLAIN:
            await self._explain(press, repository, jobs, engine)
            return
        asker, reason = Asker(press.person, via=api.kind), f"{press.button.value} on GitHub"
        for job in jobs:
            handle = engine.jobs.get(job)
            if isinstance(handle, Handle):
                handle.acts.rebuild(handle.op, handle.digest, job_id=job, by=asker, reason=reason)

    async def _explain(
        self, press: Press, repository: Repository, jobs: list[str], engine: Engine
    ) -> None:
        """Have the check itself say why its jobs are as they are now."""
        run = await self._checks.run(repository, press.run)
        if run is not None and jobs:
            whys = [str(engine.why(job)) for job in jobs[:_MOST]]
            title, summary, text = (str(part) for part in run.shows[-3:])
            output = {"title": title, "summary": summary, "text": explained_again(text, whys)}
            await self._checks.change(repository, run, {"output": output})


def _may_come(press: Press, engine: Engine) -> bool:
    """True if the check's stage is not there, and may come to be: something is not read yet."""
    engine.opened.finish_step()
    if any(True for _ in _checks(press, engine)):
        return False
    doubts = Doubts(engine.opened.live)
    return bool(doubts.unread()) or doubts.about_path(press.path or None) is not None


def _jobs(press: Press, engine: Engine) -> Iterator[str]:
    """The jobs that a button is about."""
    engine.opened.finish_step()
    for stage, check in _checks(press, engine):
        yield from _behind(press.button, stage, check)


def _checks(press: Press, engine: Engine) -> Iterator[tuple[Stage, ShownCheck]]:
    """The stages of the checks that a button is of, and what these show."""
    live = engine.opened.live
    if press.button is Button.RERUN_ALL:
        stages = list(live.stages())
    else:
        found = live.find(press.path)
        stages = [] if found is None else [found]
    for stage in stages:
        use = None if stage.subscription is None else stage.subscription.innermost
        is_check = isinstance(use, Use) and use.instance.op_type.id == GithubCheck.id
        if isinstance(use, Use) and is_check and use.own_labels.get("commit") == press.commit:
            yield stage, use.target.value


def _behind(button: Button, stage: Stage, check: ShownCheck) -> Iterator[str]:
    wanted: Iterable[CheckPart] = check.parts
    if button is Button.RERUN_INFRA:
        wanted = [part for part in check.failed if part.infra]
    elif button is not Button.RERUN_ALL:
        wanted = check.failed or check.parts
    for part in wanted:
        if part.job is not None:
            yield part.job
    if any(part.job is None for part in wanted):
        # Of several stages together, or of a decision, no one job is known.
        found = [*_nearest(stage)]
        failed = [one for one in found if one.state is State.FAILED]
        if button is Button.RERUN_INFRA:
            found = [one for one in failed if _is_infra(one)]
        elif button is not Button.RERUN_ALL:
            found = failed or found
        yield from (one.status.job_id for one in found if one.status.job_id is not None)


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
