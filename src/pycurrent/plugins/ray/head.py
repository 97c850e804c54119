"""A Ray cluster, for its driver. Ray is imported here, and nowhere else."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from pycurrent.plugins.ray import carrier, shells
from pycurrent.plugins.ray.shape import Shape, amount_of

_SILENCE = 30.0
"""Seconds for which the cluster may take to name its nodes."""
_REACH = 5.0
_GLANCE = 0.5
_NOT_LET_IN = ("InvalidAuthToken", "Unauthenticated", "UNAUTHENTICATED")
_IDLE = 60.0
"""Seconds for which a carrier is kept that nobody uses: it keeps its node from being given back."""


class Down(Exception):
    """The cluster, or a node of it, can't be used."""


def explain(error: BaseException, address: str) -> str:
    """Why there is no connection, and what to do about it, in a line."""
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, ModuleNotFoundError):
        return f"{text}: install it for {sys.executable} with pip install 'pycurrent[ray]'"
    if any(words in text for words in ("ersion mismatch", "versions differ", "incompatible")):
        return (
            f"{text[:300]}: install the versions of Ray and Python that the cluster has, for the"
            " engine"
        )
    if any(words in text for words in _NOT_LET_IN):
        return f"the cluster does not let the engine in: see token= ({text[:200]})"
    if isinstance(error, TimeoutError):
        return f"{text}: see token= and tls=, and whether {address} is a head of Ray"
    if isinstance(error, NotTrusted):
        return text
    if isinstance(error, OSError):
        return f"{text}: see whether a head of Ray runs there, and whether a firewall lets you in"
    return f"{type(error).__name__}: {text[:300]}"


def end_of(address: str) -> tuple[str, int] | None:
    """The host and port of an address; None if Ray finds the cluster by itself."""
    if address == "auto":
        return None
    host, _, port = address.removeprefix("ray://").rpartition(":")
    return host.strip("[]"), int(port)


class NotTrusted(OSError):
    """The certificates of both ends do not fit together."""


def _shake_hands(sock: socket.socket, host: str, address: str) -> None:
    """As Ray does, by its variables. Raises OSError."""
    import ssl

    cert, key, ca = (
        os.environ.get(f"RAY_TLS_{name}", "") for name in ("SERVER_CERT", "SERVER_KEY", "CA_CERT")
    )
    for path in (cert, key, ca):
        if not os.access(path, os.R_OK):
            raise NotTrusted(f"{path or 'a file'} can't be read: see tls=")
    try:
        context = ssl.create_default_context(cafile=ca)
        context.load_cert_chain(cert, key)
        # There the handshake tells whether the other end takes the certificate of this one.
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["h2"])
        context.wrap_socket(sock, server_hostname=host).close()
    except ssl.SSLError as error:
        why = getattr(error, "verify_message", "") or error.reason or str(error)
        raise NotTrusted(f"no TLS with {address} ({why}): see tls=, and its authority") from None
    except ConnectionError:
        raise NotTrusted(f"{address} ends the connection: see whether it uses TLS") from None


def check_reachable(address: str, seconds: float) -> None:
    """Raises OSError if nothing listens there, or that is not to be trusted, or does not trust this
    end. Ray would try for half a minute, and not say why.
    """
    end = end_of(address)
    if end is None:
        return
    try:
        with socket.create_connection(end, timeout=min(seconds, _REACH)) as sock:
            if os.environ.get("RAY_USE_TLS", "0").lower() in {"1", "true"}:
                _shake_hands(sock, end[0], address)
    except NotTrusted:
        raise
    except TimeoutError:
        raise OSError(f"nothing answers at {address}") from None
    except OSError as error:
        raise OSError(f"{address} can't be reached: {error.strerror or error}") from None


class Head:
    """The connection to a cluster, by its head."""

    def __init__(self, address: str, patience: float, log: Path) -> None:
        """`patience`: seconds that it may take to connect. `log` has what Ray prints here."""
        self._log = log
        self.address = address
        self.nodes: list[dict[str, Any]] = []
        self.node_of_head = ""
        self.carrier: Any = None
        """The one on the head: a handle of an actor."""
        self._patience = patience
        # Its functions are partly without types.
        self._ray: Any = None

    async def connect(self) -> None:
        """Raises `Down`."""
        connecting = asyncio.ensure_future(asyncio.to_thread(self._connect))
        try:
            async with asyncio.timeout(self._patience):
                while not connecting.done():
                    await asyncio.wait([connecting], timeout=_GLANCE)
                    if not connecting.done():
                        self._check_log()
            connecting.result()
        except Exception as error:
            if isinstance(error, TimeoutError):
                error = TimeoutError(f"no answer within {self._patience:g} s")
            raise Down(explain(error, self.address)) from error

    def _check_log(self) -> None:
        """Ray tries on with a wrong token, and says so in its log alone."""
        said = self._log.read_text(errors="replace")
        if any(words in said for words in _NOT_LET_IN):
            raise PermissionError(_NOT_LET_IN[0])

    def _connect(self) -> None:
        import ray

        self._ray = ray
        check_reachable(self.address, self._patience)
        ray.init(address=self.address, log_to_driver=False, configure_logging=False)
        for module in (carrier, shells):
            self._ray.cloudpickle.register_pickle_by_value(module)
        self.nodes = self._ray.nodes()
        marked = [node for node in self.nodes if "node:__internal_head__" in node["Resources"]]
        self.node_of_head = (marked or self.nodes)[0]["NodeID"]
        self.carrier = self.new_carrier(self.node_of_head)

    async def look(self) -> None:
        """Raises whatever Ray does if the cluster is gone, or the carrier on its head."""
        async with asyncio.timeout(_SILENCE):
            self.nodes = await asyncio.to_thread(self._ray.nodes)
            await self.carrier.is_there.remote()

    def new_carrier(self, node: str) -> Any:
        """Blocks for a moment. Whether it has started is seen when it is used."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        options = {
            "num_cpus": 0,
            "max_restarts": 0,
            "max_task_retries": 0,
            "max_concurrency": 10_000,
            "scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=False),
        }
        return self._ray.remote(**options)(carrier.Carrier).remote()

    def close(self) -> None:
        """Have the cluster end all that is there of this driver."""
        if self._ray is not None:
            self._ray.shutdown()

    def kill(self, actor: Any) -> None:
        self._ray.kill(actor)

    def node(self, name: str) -> dict[str, Any] | None:
        """A node that is there."""
        found = (node for node in self.nodes if node["NodeID"] == name and node["Alive"])
        return next(found, None)

    def lacks(self, shape: Shape) -> str:
        """The resources of a job that no node has, in words for people."""
        alive = [node for node in self.nodes if node["Alive"]]
        lacking = []
        for name, amount in shape.bundle.items():
            most = max((node["Resources"].get(name, 0.0) for node in alive), default=0.0)
            if most < amount:
                lacking.append(f"{amount_of(name, amount)} (the most is {amount_of(name, most)})")
        text = " and ".join(lacking) or f"all of {shape}"
        return f"no node has {text}: ask for less, or add such a node"


class Carriers:
    """The carriers, one on each node that is in use."""

    def __init__(self, head: Head) -> None:
        self._head = head
        self._known: dict[str, asyncio.Task[tuple[Any, str]]] = {}
        self._users: dict[str, int] = {}
        self._idle: dict[str, float] = {}

    @contextlib.asynccontextmanager
    async def on(self, node: str) -> AsyncIterator[tuple[Any, str]]:
        """The carrier on a node, and its home. A new one if the one that was there has died."""
        self._users[node] = self._users.get(node, 0) + 1
        try:
            made = self._known.get(node)
            if made is None:
                made = self._known[node] = asyncio.ensure_future(self._make(node))
            try:
                yield await asyncio.shield(made)
            except OSError:
                raise
            except Exception:
                if self._known.get(node) is made:
                    del self._known[node]
                raise
        finally:
            self._users[node] -= 1
            self._idle[node] = time.monotonic()

    async def _make(self, node: str) -> tuple[Any, str]:
        head = self._head
        is_there = node == head.node_of_head
        made = head.carrier if is_there else await asyncio.to_thread(head.new_carrier, node)
        return made, await made.home.remote()

    async def tidy(self) -> None:
        """End those that are needed no more."""
        for node, made in list(self._known.items()):
            since = time.monotonic() - self._idle.get(node, time.monotonic())
            is_needed = self._users[node] or node == self._head.node_of_head
            if not is_needed and since > _IDLE and made.done():
                del self._known[node]
                if not made.exception():
                    await asyncio.to_thread(self._head.kill, made.result()[0])
