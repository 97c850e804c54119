"""Deliveries: what a forge tells of changes.

A delivery is verified over its raw bytes, noted on disk (`engine/deliveries.py`), and answered. It
only has us look again: each repository is read by one request at a time, however many deliveries
name it. So lost, repeated and reordered deliveries change nothing, and what is missed is found by
the next sweep or start. The commands, or the button, that it tells of are the work that is noted
with it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from pycurrent.engine import OpenEngine
from pycurrent.engine.deliveries import Deliveries, NotNoted
from pycurrent.engine.tasks import in_thread
from pycurrent.plugins.forge.links import Connects, ForgeLink, ForgeLinks
from pycurrent.plugins.forge.values import Delivery, Refused
from pycurrent.plugins.forge.work import asked_by, obey
from pycurrent.service.routes import RouteAnswer

if TYPE_CHECKING:
    from pycurrent.facade import Engine

_LARGE = 1 << 16
"""In bytes: larger bodies are read in a thread."""

_log = logging.getLogger(__name__)


class Inbox:
    """The deliveries of forges to one engine: a service of it."""

    def __init__(self, engine: OpenEngine) -> None:
        self._links = engine.service(ForgeLinks)
        self._deliveries = engine.service(Deliveries)

    def open(self, forge: Connects, path: str, engine: Engine) -> None:
        """Begin with the work that an earlier engine has left. Twice is fine."""
        link = self._links.of(forge)
        self._deliveries.serve(_sender(forge, path), partial(obey, link, engine))

    async def take(
        self, forge: Connects, path: str, headers: Mapping[str, str], body: bytes, engine: Engine
    ) -> RouteAnswer:
        """Take a delivery to the route at a path. Headers have lower-case names."""
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
                self.open(forge, path, engine)
                return await self._taken(link, _sender(forge, path), found)

    async def _taken(self, link: ForgeLink, sender: str, delivery: Delivery) -> RouteAnswer:
        try:
            is_new = await self._deliveries.note(
                sender,
                delivery.id,
                event=delivery.event,
                person=delivery.person,
                work=asked_by(delivery),
            )
        except NotNoted as error:
            _log.warning("%s", error)
            link.refresh(delivery.repositories, delivery.moves)
            return RouteAnswer(503, {"Retry-After": "60"}, b"not noted: deliver it again later")
        if not is_new:
            return RouteAnswer.text("known already")
        link.refresh(delivery.repositories, delivery.moves)
        return RouteAnswer.text("thanks", 202)


def _sender(forge: Connects, path: str) -> str:
    """The name of a forge in records: that of each route, as each has its own identity."""
    return f"{forge.site} at {path}"
