"""Waiting for what must come to its end, whoever is cancelled meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")


async def regardless(awaitable: Awaitable[T]) -> T:
    """Wait to the end even if cancelled meanwhile: then the cancellation follows.

    What the awaitable gives or raises is lost then.
    """
    task = asyncio.ensure_future(awaitable)
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        with suppress(Exception):
            task.result()
        raise asyncio.CancelledError
    return task.result()


async def take_cancellation(task: asyncio.Task[Any]) -> None:
    """Have a cancellation of the current task come now, where its work did not wait for it: not
    in the midst of what follows, which is not cancelled.
    """
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(0)
    task.uncancel()
