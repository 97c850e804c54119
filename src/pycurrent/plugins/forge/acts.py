"""Acts that a delivery asks for besides commands in comments, such as a button that was pressed.

They are obeyed one after the other. One that is lost with its engine is not made up for: people
see that nothing has happened, and press the button again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pycurrent.engine import OpenEngine
from pycurrent.plugins.forge.links import ForgeLink
from pycurrent.plugins.forge.values import Act

if TYPE_CHECKING:
    from pycurrent.facade import Engine

_MOST = 20
"""How many wait at most: more are dropped, and said so in the log."""

_log = logging.getLogger(__name__)


class Acts:
    """The acts that are at work in one engine: a service of it."""

    def __init__(self, engine: OpenEngine) -> None:
        self._obeying: set[asyncio.Task[None]] = set()
        self._one_at_a_time = asyncio.Lock()
        engine.on_close(self.aclose)

    def begin(self, link: ForgeLink, acts: Sequence[Act], engine: Engine) -> None:
        """Obey them soon."""
        for act in acts:
            if len(self._obeying) >= _MOST:
                _log.warning("too many acts at once: %s is dropped", act)
                return
            task = asyncio.create_task(self._obey(link, act, engine))
            self._obeying.add(task)
            task.add_done_callback(self._obeying.discard)

    @property
    def are_at_work(self) -> bool:
        """True while there are any."""
        return bool(self._obeying)

    async def _obey(self, link: ForgeLink, act: Act, engine: Engine) -> None:
        try:
            async with self._one_at_a_time:
                await act.obey(link, engine)
        except Exception as error:
            _log.warning("%s has failed: %s", act, error)

    async def aclose(self) -> None:
        """Give up those that are at work."""
        for task in list(self._obeying):
            task.cancel()
        if self._obeying:
            await asyncio.wait(list(self._obeying))
