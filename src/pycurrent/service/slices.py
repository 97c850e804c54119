"""Work that takes long, a little at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from time import perf_counter
from typing import TypeVar

from pycurrent.engine.collector import paused_collector

T = TypeVar("T")

SLICE = 0.01
"""Seconds of work between which other things happen."""


async def in_slices(work: Generator[None, None, T], *, seconds: float = SLICE) -> T:
    """Do all of the work, which stops every now and then; give what it returns.

    If it fits in one slice, nothing else happens meanwhile.
    """
    while True:
        until = perf_counter() + seconds
        # It makes much that stays.
        with paused_collector():
            try:
                next(work)
                while perf_counter() < until:
                    next(work)
            except StopIteration as end:
                found: T = end.value
                return found
        await asyncio.sleep(0)
