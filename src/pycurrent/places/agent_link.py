"""The connection of an agent with its relay: see `agent.py`, which is sent there with this."""

from __future__ import annotations

import json
import os
import select
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pycurrent.places import frames
    from pycurrent.places.frames import Kind
else:
    import frames
    from frames import Kind

_FIRST = 60.0
"""Seconds within which a request has to come."""


class Refused(Exception):
    """The request can't be met: the text says why."""


class Link:
    """The connection to the relay."""

    def __init__(self) -> None:
        os.set_blocking(0, False)
        os.set_blocking(1, False)
        self.out = frames.Outbox(1)
        self.heard = time.monotonic()
        self.silence = _FIRST
        """Seconds without a word of the relay after which it is taken for gone."""
        self.has_ended = False
        self._reader = frames.Reader()

    def wait(self, *descriptors: int, seconds: float | None = None) -> set[int]:
        """Send and receive, until one of the descriptors can be read, or a message came, or so
        long. Gives the descriptors that are ready, 0 among them.
        """
        poll = select.poll()
        for descriptor in (0, *descriptors):
            poll.register(descriptor, select.POLLIN)
        if self.out:
            poll.register(1, select.POLLOUT)
        patience = self.heard + self.silence - time.monotonic()
        if patience <= 0:
            self.has_ended = True
            return set()
        limit = patience if seconds is None else min(seconds, patience)
        ready = {descriptor for descriptor, _ in poll.poll(limit * 1000)}
        try:
            self.out.send()
        except OSError:
            self.has_ended = True
        return ready

    def messages(self) -> list[tuple[Kind, bytes]]:
        """The messages that have come."""
        data = frames.read_some(0)
        if data is None:
            return []
        if not data:
            self.has_ended = True
            return []
        self.heard = time.monotonic()
        return list(self._reader.feed(data))

    def flush(self) -> None:
        """Send all, unless the relay goes."""
        while self.out and not self.has_ended:
            if 0 in self.wait():
                self.messages()

    def end(self, result: object) -> None:
        self.out.add(frames.encode_json(Kind.END, result))
        self.flush()


def receive(link: Link) -> tuple[dict[str, Any], bytes, list[tuple[Kind, bytes]]] | None:
    """The request, its input if that is short, and what came after it. None if none comes."""
    incoming: list[tuple[Kind, bytes]] = []
    stdin = b""
    while not link.has_ended:
        if 0 in link.wait():
            incoming += link.messages()
        if not incoming:
            continue
        kind, payload = incoming[0]
        if kind is not Kind.REQUEST:
            raise Refused("an agent is asked for something first")
        request = json.loads(payload)
        if request["version"] != frames.VERSION:
            raise Refused(f"it speaks version {frames.VERSION}, not {request['version']}")
        link.silence = request["silence"]
        if request["do"] != "run":
            return request, b"", incoming[1:]
        for number, (kind, payload) in enumerate(incoming):
            if kind is Kind.INPUT and not payload:
                stdin = b"".join(data for kind, data in incoming[:number] if kind is Kind.INPUT)
                return request, stdin, incoming[number + 1 :]
    return None
