"""The driver: connects an engine with a Ray cluster. It is a process of its own, because Ray is
large, and ends its process when it loses its cluster.

It reads its options from the standard input, as JSON, and listens at a socket of which each packet
is a JSON object. The first one is the request; the reservation, or the connection, ends with the
socket:

- `reserve`, with `bundle` and `labels`, and with `node`, `host` and `home` if only that one
  will do. Answers are `waits`, which says why, any number of times, and `node`, `host` and
  `home`, once.
- `connect`, with `node`, `host`, `home`, `words`, `serving`, and three descriptors: has a shell on
  that node run the words, with these as its input and outputs. The answer is its `status`. It may
  be one of a server, which the words `serving` start, unless they are empty.

The answer `down` says why neither can be.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

from pycurrent.plugins.ray.head import Carriers, Down, Head, explain
from pycurrent.plugins.ray.shape import Shape
from pycurrent.plugins.ray.streams import carried, rest_of, until_readable

_LONGEST = 1 << 16
"""Bytes of a request."""
_LOOK = 5.0
"""Seconds between two looks at the nodes."""
_DRAIN = 3.0
"""Seconds for which connections may go on when the driver has to end."""
_LEAVING = 2.0
"""Seconds for which the cluster may take to be left."""
_LAST = 1.0
"""Seconds for which those that wait are told why there is no cluster."""


class Driver:
    """Serves those that are on this machine."""

    def __init__(self, head: Head) -> None:
        self._head = head
        self._carriers = Carriers(head)
        self._connected = asyncio.ensure_future(head.connect())
        self._names = (f"{os.getpid()}-{number}" for number in itertools.count())
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections: set[asyncio.Task[None]] = set()

    async def serve(self, listener: socket.socket) -> None:
        """Until the cluster is gone, or SIGTERM comes, which cancels this."""
        accepting = asyncio.ensure_future(self._accept(listener))
        this = asyncio.current_task()
        assert this is not None
        try:
            await self._connected
            # Not before: Ray sets one of its own.
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
            while True:
                await asyncio.sleep(_LOOK)
                await self._head.look()
                await self._carriers.tidy()
        except asyncio.CancelledError:
            # The next driver may come at once; what is to be ended at the nodes is still told them.
            accepting.cancel()
            listener.close()
            if self._connections:
                await asyncio.wait(self._connections, timeout=_DRAIN)
            raise
        except Exception:
            await asyncio.sleep(_LAST)
            raise

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            sock, _ = await loop.sock_accept(listener)
            task = asyncio.ensure_future(self._answer(sock))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, sock: socket.socket) -> None:
        """Do what one asks for, until it has gone."""
        with sock, contextlib.ExitStack() as held, contextlib.suppress(OSError):
            await until_readable(sock.fileno())
            received, descriptors, _, _ = socket.recv_fds(sock, _LONGEST, 3)
            for descriptor in descriptors:
                held.callback(os.close, descriptor)
            if not received:
                return
            request = json.loads(received)
            connects = request["do"] == "connect"
            do = self._connect if connects else self._reserve
            work = asyncio.ensure_future(do(sock, request, descriptors))
            if connects:
                self._connections.add(work)
                work.add_done_callback(self._connections.discard)
            gone = asyncio.ensure_future(asyncio.get_running_loop().sock_recv(sock, 1))
            await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
            for task in (work, gone):
                task.cancel()
            await asyncio.wait((work, gone))
            error = None if work.cancelled() else work.exception()
            if error is not None:
                why = str(error) if isinstance(error, Down) else explain(error, "the node")
                await _send(sock, {"down": why})

    async def _reserve(self, sock: socket.socket, request: dict[str, Any], _: list[int]) -> None:
        await asyncio.shield(self._connected)
        head, shape = self._head, Shape(request["bundle"], request["labels"])
        labels = dict(shape.labels)
        if request["node"] is not None:
            labels["ray.io/node-id"] = await self._same_place(request)
        name, known, node = next(self._names), "", None
        try:
            while node is None:
                asked = head.carrier.ask.remote(name, shape.bundle, labels, known)
                node, state = await asked
                if node is None and state != known:
                    known = state
                    is_hopeless = state == "INFEASIBLE"
                    why = head.lacks(shape) if is_hopeless else f"room for {shape}"
                    await _send(sock, {"waits": why})
            async with self._carriers.on(node) as (_, home):
                if head.node(node) is None:
                    await head.look()
                found = head.node(node)
                host = "" if found is None else found["NodeManagerHostname"]
                await _send(sock, {"node": node, "host": host, "home": home})
                await asyncio.Event().wait()
        finally:
            # Not awaited: the one that asked has gone.
            head.carrier.drop.remote(name)

    async def _connect(
        self, sock: socket.socket, request: dict[str, Any], descriptors: list[int]
    ) -> None:
        await asyncio.shield(self._connected)
        if len(descriptors) != 3:
            raise Down("a connection needs three descriptors")
        for descriptor in descriptors:
            os.set_blocking(descriptor, False)
        node = await self._same_place(request)
        async with self._carriers.on(node) as (carrier, _):
            name = next(self._names)
            first = carrier.begin.remote(name, request["words"], request["serving"])
            try:
                status = await carried(carrier, name, descriptors, first)
            finally:
                # The relay may have gone when it had said all.
                carrier.end.remote(name, rest_of(descriptors[0]))
        await _send(sock, {"status": status})

    async def _same_place(self, request: dict[str, Any]) -> str:
        """The node that was asked for, or the one which is the same machine with the same files:
        when Ray is started again its nodes have new names. Raises `Down`.
        """
        if self._head.node(request["node"]) is not None:
            return str(request["node"])
        await self._head.look()
        for node in self._head.nodes:
            if node["Alive"] and node["NodeID"] == request["node"]:
                return str(request["node"])
            if node["Alive"] and node["NodeManagerHostname"] == request["host"]:
                async with self._carriers.on(node["NodeID"]) as (_, home):
                    if home == request["home"]:
                        return str(node["NodeID"])
        raise Down(f"{request['host']} is not in the cluster any more")


async def _send(sock: socket.socket, answer: dict[str, Any]) -> None:
    await asyncio.get_running_loop().sock_sendall(sock, json.dumps(answer).encode())


def _listen(path: Path) -> socket.socket:
    """The socket. Another process may have had it, but does not listen any more."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(1024)
    listener.setblocking(False)
    return listener


def main() -> None:
    """See the module."""
    options = json.load(sys.stdin)
    os.umask(0o077)
    listener = _listen(Path(options["socket"]))
    # It listens: that is what the engine waits for.
    os.close(1)
    os.open(os.devnull, os.O_WRONLY)
    os.environ.update(options["environment"])
    head = Head(options["address"], options["patience"], Path(options["log"]))

    async def serve() -> None:
        code = 0
        try:
            await Driver(head).serve(listener)
        except asyncio.CancelledError:
            # The cluster may have gone meanwhile.
            leaving = threading.Thread(target=head.close, daemon=True)
            leaving.start()
            leaving.join(_LEAVING)
        except Exception as error:
            sys.stderr.write(f"{error}\n")
            code = 1
        # Without what Ray and its threads do at the end, which takes long when the head has gone.
        os._exit(code)

    asyncio.run(serve())
