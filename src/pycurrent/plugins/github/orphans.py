"""Check runs that no stage shows any more, and that would stay pending for good.

A stage that goes cancels what it has left (see `GithubCheck.retire`), by the engine's records. Some
runs have no record: an engine was killed after it had made them, and the stage was gone before the
next one; or the records were lost. So each hour the heads of the refs are looked at, some hundred
at a time, and our runs that are not completed are cancelled, unless a stage shows them, or it is in
doubt whether one will.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from pycurrent.cache import ResultCache
from pycurrent.engine import OpenEngine, Timer
from pycurrent.engine.tasks import cancelled
from pycurrent.plugins.forge.links import ForgeLink
from pycurrent.plugins.forge.status import StatusKey
from pycurrent.plugins.forge.values import Repository
from pycurrent.plugins.github.check_api import CheckApi, CheckRun
from pycurrent.term import Doubts, Failure

EVERY = timedelta(hours=1)
AT_ONCE = 200
"""How many commits are looked at each time: a request each, of 5,000 in an hour."""
GONE = "the pipeline has no such stage any more"

_log = logging.getLogger(__name__)

Head = tuple[str, str]
"""The id of a repository, and a commit."""


def cancelling() -> dict[str, object]:
    """The request that completes a run as cancelled."""
    output = {"title": GONE, "summary": GONE}
    return {"status": "completed", "conclusion": "cancelled", "output": output}


class OrphanedChecks:
    """Completes such check runs of the Apps of one engine: a service of it."""

    def __init__(self, engine: OpenEngine) -> None:
        self._engine = engine
        self._apps: dict[ForgeLink, tuple[CheckApi, str]] = {}
        self._last: dict[ForgeLink, Head] = {}
        """The head that was looked at last."""
        self._timer: Timer | None = None
        self._looking: asyncio.Task[None] | None = None
        engine.on_stop(self.aclose)

    def watch(self, link: ForgeLink, api: CheckApi, op: str) -> None:
        """Look at the checks of an App, which the operation `op` shows. Twice is fine."""
        self._apps[link] = api, op
        if self._timer is None:
            self._wait()

    def _wait(self) -> None:
        self._timer = self._engine.clock.call_later(EVERY, self._begin)

    def _begin(self) -> None:
        self._wait()
        if self._looking is None or self._looking.done():
            self._looking = self._engine.loop.create_task(self._look(), name="orphaned checks")

    async def _look(self) -> None:
        for link, (api, op) in list(self._apps.items()):
            heads = sorted(link.heads().items())
            later = [one for one in heads if one[0] > self._last.get(link, ("", ""))]
            for head, home in (later or heads)[:AT_ONCE]:
                self._last[link] = head
                try:
                    await self._look_at(home, head[1], api, op)
                except Failure as failure:
                    _log.warning("checks that no stage shows are not looked for: %s", failure)
                    break

    async def _look_at(self, home: Repository, commit: str, api: CheckApi, op: str) -> None:
        for run in await api.pending(home, commit):
            await self._engine.between_steps()
            if not self._is_shown(run, op):
                await api.change(home, run, cancelling())
                _log.warning(
                    "the check %r of %s in %s is cancelled: %s", run.name, commit[:10], home, GONE
                )

    def _is_shown(self, run: CheckRun, op: str) -> bool:
        """True if a stage shows the run, or may come to."""
        doubts = Doubts(self._engine.live)
        if doubts.unread() or doubts.about_path(run.external_id) is not None:
            return True
        for instance in self._engine.service(ResultCache).instances.of(op):
            key = instance.key.value
            assert isinstance(key, StatusKey)
            if (key.commit, key.context) == (run.commit, run.name):
                return True
        return False

    async def aclose(self) -> None:
        """Look no more. Twice is fine."""
        if self._timer is not None:
            self._timer.cancel()
        if self._looking is not None:
            await cancelled(self._looking)
