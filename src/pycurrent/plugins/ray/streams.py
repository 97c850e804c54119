"""Carries bytes between a shell on a node, by its carrier, and the descriptors of a relay."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import Any

_CHUNK = 256 << 10
"""Bytes that are carried at once."""


def _settle(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


async def until_readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(descriptor, _settle, ready)
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)


async def _until_writable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_writer(descriptor, _settle, ready)
    try:
        await ready
    finally:
        loop.remove_writer(descriptor)


async def carried(carrier: Any, name: str, descriptors: list[int], first: Any) -> int:
    """Carry all between a shell and these descriptors, an input and two outputs; gives its status.
    `first` is what it prints first.
    """
    printed = await first
    feeding = asyncio.ensure_future(_feed(carrier, name, descriptors[0]))
    try:
        while True:
            await _print(printed[:2], descriptors[1:])
            if printed[2] is not None:
                return int(printed[2])
            printed = await carrier.take.remote(name)
    finally:
        feeding.cancel()
        await asyncio.wait([feeding])


async def _feed(carrier: Any, name: str, descriptor: int) -> None:
    """Give a shell what can be read, to its end."""
    while True:
        await until_readable(descriptor)
        with contextlib.suppress(BlockingIOError):
            data = os.read(descriptor, _CHUNK)
            await carrier.give.remote(name, data)
            if not data:
                return


def rest_of(descriptor: int) -> bytes:
    """All that can be read now, and was not."""
    rest = b""
    with contextlib.suppress(BlockingIOError):
        while data := os.read(descriptor, _CHUNK):
            rest += data
    return rest


async def _print(printed: tuple[bytes, bytes], descriptors: list[int]) -> None:
    """Write what a shell has printed, as fast as that is read."""
    for descriptor, data in zip(descriptors, printed, strict=True):
        unsent = memoryview(data)
        while unsent:
            try:
                unsent = unsent[os.write(descriptor, unsent) :]
            except BlockingIOError:
                await _until_writable(descriptor)
