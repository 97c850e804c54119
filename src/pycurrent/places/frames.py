"""The messages between a relay, on the engine's machine, and an agent at another place.

One file that runs at both ends, on any Python from 3.8 on, with its standard library alone. The
page `docs/places.md` has the messages for other programs.
"""

from __future__ import annotations

import enum
import errno
import json
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

VERSION = 1

HEAD = struct.Struct("!BI")
"""The kind of a message, and the length of what follows."""

PLACE = struct.Struct("!Q")
"""A place in what a command has printed."""

MARK = b"\0pycurrent-place\0"
"""Comes before all that an agent says: what a login shell prints stands before it."""

LONGEST = 1 << 24
"""Bytes that a message may have."""

CHUNK = 64 << 10
"""Bytes of a file or an output that are sent at once."""


class Kind(enum.IntEnum):
    """The kinds of messages."""

    # of the relay
    REQUEST = 1
    """The work to be done, as JSON. The first message."""
    INPUT = 2
    """A part of the input that belongs to the request; an empty one is its end."""
    ALIVE = 3
    """The relay is there."""
    CANCEL = 4
    """End the command."""
    TAKEN = 5
    """The end is known here: the agent may forget the command."""
    KEPT = 6
    """A `PLACE`: all before that is on the engine's machine, and need not be kept at the place."""
    # of the agent
    SPOOL = 10
    """A part of what the command has printed."""
    OUTPUT = 11
    """A part of its standard output, if that was asked for, or of a file."""
    BEGUN = 12
    """The command has begun, now or earlier."""
    END = 13
    """The result, as JSON. The last message."""
    WAITS = 14
    """The command waits for cache folders before it begins: their names, as JSON."""


_KINDS = frozenset(Kind)


def encode(kind: Kind, payload: bytes = b"") -> bytes:
    """A message as it is sent."""
    return HEAD.pack(kind, len(payload)) + payload


def encode_json(kind: Kind, content: object) -> bytes:
    """A message with JSON. Names that are not UTF-8 survive, as lone surrogates."""
    return encode(kind, json.dumps(content).encode("ascii"))


class Damaged(Exception):
    """The other end has sent something else than messages."""


class Reader:
    """Takes messages apart, as they come in pieces. It passes over unknown kinds."""

    def __init__(self) -> None:
        self._received = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[Kind, bytes]]:
        """The messages that are complete now. Raises `Damaged`."""
        self._received += data
        while len(self._received) >= HEAD.size:
            kind, length = HEAD.unpack_from(self._received)
            if length > LONGEST:
                raise Damaged("a message that is too long")
            if len(self._received) < HEAD.size + length:
                return
            payload = bytes(self._received[HEAD.size : HEAD.size + length])
            del self._received[: HEAD.size + length]
            # The other end may be of a later version.
            if kind in _KINDS:
                yield Kind(kind), payload


class Outbox:
    """Bytes that are to be sent by a descriptor which does not block."""

    MOST = 4 * CHUNK

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._unsent = bytearray()

    @property
    def is_full(self) -> bool:
        """True while no more should be added: the other end takes its time."""
        return len(self._unsent) >= self.MOST

    def __bool__(self) -> bool:
        return bool(self._unsent)

    def add(self, message: bytes) -> None:
        self._unsent += message

    def send(self) -> None:
        """Send what can be sent now. Raises OSError if nobody takes it any more."""
        while self._unsent:
            try:
                sent = os.write(self.descriptor, self._unsent[: 4 * CHUNK])
            except BlockingIOError:
                return
            del self._unsent[:sent]


def read_some(descriptor: int) -> bytes | None:
    """The bytes that can be read now; None if there are none, empty at the end."""
    try:
        return os.read(descriptor, 4 * CHUNK)
    except BlockingIOError:
        return None
    except OSError as error:
        if error.errno in (errno.ECONNRESET, errno.EIO):
            return b""
        raise


def write_whole(path: str, content: Any) -> None:
    """Write JSON to a file, which is there as a whole or not at all."""
    part = f"{path}.part"
    file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, json.dumps(content).encode("ascii"))
    finally:
        os.close(file)
    os.rename(part, path)  # noqa: PTH104 - no pathlib here: it would double the start
