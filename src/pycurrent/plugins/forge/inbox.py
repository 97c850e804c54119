"""Deliveries: what a forge tells of changes.

A delivery is verified over its raw bytes, and answered at once. It only has us look again: each
repository is read by one request at a time, however many deliveries name it. So lost, repeated and
reordered deliveries change nothing, and what is missed is found by the next sweep or start.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pycurrent.engine import OpenEngine
from pycurrent.engine.tasks import in_thread
from pycurrent.plugins.forge.acts import Acts
from pycurrent.plugins.forge.commands import obey
from pycurrent.plugins.forge.links import Connects, ForgeLink, ForgeLinks
from pycurrent.plugins.forge.values import Command, Delivery, Refused
from pycurrent.service.routes import RouteAnswer

if TYPE_CHECKING:
    from pycurrent.facade import Engine

_REMEMBERED = 20_000
"""Deliveries by whose ids repeats are known."""
_LARGE = 1 << 16
"""In bytes: larger bodies are read in a thread."""
_MOST_COMMANDS = 20
"""How many commands wait at most: more are dropped, and said so in the log."""

_log = logging.getLogger(__name__)


class Inbox:
    """The deliveries to one engine: a service of it."""

    def __init__(self, engine: OpenEngine) -> None:
        self._links = engine.service(ForgeLinks)
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._obeying: set[asyncio.Task[None]] = set()
        self._one_at_a_time = asyncio.Lock()
        engine.on_close(self.aclose)

    async def take(
        self, forge: Connects, headers: Mapping[str, str], body: bytes, engine: Engine
    ) -> RouteAnswer:
        """Take a delivery. Headers have lower-case names."""
        link = self._links.of(forge)
        if len(body) > _LARGE:
            found = await in_thread(link.api.verify, headers, body)
        else:
            found = link.api.verify(headers, body)
        match found:
            case Refused(why):
                _log.warning("a delivery to the webhook for %s is refused: %s", forge.site, why)
                return RouteAnswer.text("refused", 403)
            case Delivery():
                return self._taken(forge, link, found, engine)

    def _taken(
        self, forge: Connects, link: ForgeLink, delivery: Delivery, engine: Engine
    ) -> RouteAnswer:
        if self._is_repeat(forge.site, delivery.id):
            return RouteAnswer.text("known already")
        link.refresh(delivery.repositories, delivery.moves)
        engine.service(Acts).begin(link, delivery.acts, engine)
        for command in delivery.commands:
            self._begin(link, command, engine)
        return RouteAnswer.text("thanks", 202)

    def _is_repeat(self, site: str, id: str) -> bool:
        key = (site, id)
        if key in self._seen:
            return True
        self._seen[key] = None
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return False

    def _begin(self, link: ForgeLink, command: Command, engine: Engine) -> None:
        if len(self._obeying) >= _MOST_COMMANDS:
            _log.warning("too many commands at once: that of %s is dropped", command.author)
            return
        task = asyncio.create_task(self._obey(link, command, engine))
        self._obeying.add(task)
        task.add_done_callback(self._obeying.discard)

    async def _obey(self, link: ForgeLink, command: Command, engine: Engine) -> None:
        words = " ".join(command.words)
        try:
            async with self._one_at_a_time:
                await obey(link, command, engine)
        except Exception as error:
            _log.warning("the command /%s of %s has failed: %s", words, command.author, error)

    async def aclose(self) -> None:
        """Give up the commands that are at work."""
        for task in list(self._obeying):
            task.cancel()
        if self._obeying:
            await asyncio.wait(list(self._obeying))
