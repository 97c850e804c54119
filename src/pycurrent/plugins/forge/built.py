"""Waiting for the stages that a delivery asks for: at a start they are not built yet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from pycurrent.plugins.forge.links import ForgeLink
from pycurrent.plugins.forge.values import Repository

if TYPE_CHECKING:
    from pycurrent.facade import Engine

_WITHIN = timedelta(minutes=1)
"""How long is waited, at a start above all."""
_LOOKS = 5
"""How often stages are looked for: all are gone through."""


async def built(
    link: ForgeLink, repository: Repository, engine: Engine, is_found: Callable[[], bool]
) -> None:
    """Wait until `is_found()`, which is asked between steps, once the refs of a repository were
    read for the pipeline. It may never be so: then until nothing more happens, or for a minute.
    """
    opened, looked_at, looks = engine.opened, -1, 0
    over = asyncio.ensure_future(opened.clock.sleep(_WITHIN))
    try:
        while looks < _LOOKS and not (over.done() or engine.idle):
            if link.has_read(repository) and opened.steps != looked_at:
                looked_at, looks = opened.steps, looks + 1
                if is_found():
                    return
            notified = opened.quiescence.notified()
            try:
                await asyncio.wait({over, notified}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                notified.cancel()
    finally:
        over.cancel()
