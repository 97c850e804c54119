"""Serving a running engine over HTTP, in its own event loop."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from pycurrent.engine.site_links import SiteLinks
from pycurrent.errors import UsageError
from pycurrent.service import Service
from pycurrent.store import AccessDatabase
from pycurrent.web.app import create_app, site_of
from pycurrent.web.auth import Access
from pycurrent.web.auth.access import ACCESS
from pycurrent.web.auth.proxies import believed
from pycurrent.web.metrics import check_metrics, metrics_of
from pycurrent.web.middleware import KEPT_SECONDS, PatientProtocol
from pycurrent.web.routes import check_routes
from pycurrent.web.settings import WebSettings
from pycurrent.web.users import PASSWORD_FILE, PasswordFile
from pycurrent.web.users.owner import Owner, address_with, told_address

_BACKLOG = 2048
_LARGEST_HEAD = 64 * 1024
"""In bytes: the address and the headers of a request. Addresses may have filters in them."""
_TURNS = 5
"""Turns of the event loop that an accepted connection takes at most until it is known: asyncio
takes one for its task and one for its protocol.
"""
_PATIENCE = 3
"""Seconds that answers may still take when the server ends: streams end by themselves."""


def check_settings(settings: WebSettings) -> None:
    """Raise `UsageError` if these settings can't be, before anything runs."""
    site_of(settings)
    check_routes(settings.routes)
    check_metrics(settings.metrics)
    believed(settings.access.trusted_proxies)


def with_users(settings: WebSettings, state_dir: Path) -> WebSettings:
    """The same settings, with the users in the state directory, who can always log in."""
    users = PasswordFile(state_dir / PASSWORD_FILE)
    access = replace(settings.access, providers=(users, *settings.access.providers))
    return replace(settings, access=access)


_HANDED_OVER = "PYCURRENT_LISTENER"
"""The variable that tells the number of a listening socket to the program that comes next."""


@contextmanager
def listening(settings: WebSettings) -> Iterator[socket.socket]:
    """Take the port, before anything runs that would have to be stopped again.

    Connections wait until they are served. Raises `UsageError` if it is not available.
    """
    with _listen(settings.host, settings.port) as listener:
        yield listener


def hand_over(listener: socket.socket) -> None:
    """Have the program that takes the place of this one, in the same process, listen there: so
    connections wait, and none is refused.
    """
    listener.set_inheritable(True)
    os.environ[_HANDED_OVER] = str(listener.fileno())


def _handed_over() -> socket.socket | None:
    """The listening socket of the program that this one takes the place of."""
    number = os.environ.pop(_HANDED_OVER, "")
    if not number.isdecimal():
        return None
    try:
        listener = socket.socket(fileno=int(number))
    except OSError:
        return None
    listener.set_inheritable(False)
    return listener


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError, OverflowError) as error:
        raise UsageError(f"--host {host}: the address does not exist") from error
    before = _handed_over()
    if before is not None:
        there = before.getsockname()
        if there[0] == address[0] and port in (0, there[1]):
            return before
        before.close()
    listener = socket.socket(family, kind, protocol)
    try:
        # Connections of the last run may not have ended quite: that must not delay the start.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise UsageError(_why_not(host, port, error)) from error
    return listener


def _why_not(host: str, port: int, error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return (
                f"port {port} of {host} is taken: stop what uses it, or take another one with"
                " --port, or serve no pages with --no-web"
            )
        case errno.EACCES:
            return f"port {port} takes the rights of an administrator: use one above 1023"
        case errno.EADDRNOTAVAIL:
            return f"--host {host} is not an address of this machine"
        case _:
            return f"can't listen at {host}, port {port}: {os.strerror(error.errno or 0)}"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a site is served."""

    host: str
    port: int
    token: str | None = None
    """Of who runs the engine, where that lets them in."""

    @classmethod
    def of(cls, listener: socket.socket, token: str | None = None) -> Address:
        host, port = listener.getsockname()[:2]
        return cls(host, port, token)

    @property
    def url(self) -> str:
        """How to reach it from this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def way_in(self) -> str:
        """The same, so that it lets a browser in."""
        return address_with(self.token, self.url)


_BUSY_SECONDS = 0.02
"""How long the event loop stands still at most for another program that locks the database."""


class Website:
    """The pages and the API of one engine. Made while the engine is open; opened once.

    Raises `UsageError` if the settings can't be: see `check_settings`.
    """

    def __init__(self, service: Service, settings: WebSettings) -> None:
        self.service = service
        self.settings = settings
        self._proxies = believed(settings.access.trusted_proxies)
        self._site = site_of(settings)
        service.engine.service(SiteLinks).public_url = self._site.public_origin
        check_routes(settings.routes)
        self._registry = metrics_of(service, stages=settings.metrics_stages)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[FastAPI]:
        """The application, able to answer, within the block: while the engine runs."""
        engine = self.service.engine
        with AccessDatabase.open(engine.state, busy_seconds=_BUSY_SECONDS) as database:
            owner = Owner.of(engine.state.path)
            access = Access(
                self.settings.access, database, engine.clock, self._site, owner, engine.audit
            )
            try:
                yield create_app(self.service, self.settings, access, self._registry)
            finally:
                self.service.close()

    @asynccontextmanager
    async def serving(self, listener: socket.socket) -> AsyncIterator[Address]:
        """Serve it within the block.

        At its end streams are ended, so that their clients come back later, and what is being
        answered is given a few seconds.
        """
        async with self.open() as app:
            access = ACCESS.get(app.state)
            address = Address.of(listener, access.owner.token if access.is_at_home else None)
            self.service.engine.forks.keep_out(lambda: [listener.fileno()])
            server = _Server(_config(app, self._proxies))
            task = asyncio.create_task(server.serve([listener]), name="web server")
            try:
                with told_address(self.service.engine.state.path, address.url):
                    yield address
            finally:
                self.service.close()
                server.should_exit = True
                await task


class _Server(uvicorn.Server):
    """Leaves signals to the command line."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more first: those that were accepted just before come to be meanwhile.

        uvicorn closes the connections that it knows then. On later ones it would answer until its
        patience ends, or asyncio leave them open.
        """
        loop = asyncio.get_running_loop()
        for listener in sockets or []:
            loop.remove_reader(listener)
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        await super().shutdown(sockets)


def _config(app: FastAPI, proxies: list[str]) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=PatientProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEPT_SECONDS,
        forwarded_allow_ips=proxies,
        h11_max_incomplete_event_size=_LARGEST_HEAD,
        timeout_graceful_shutdown=_PATIENCE,
    )
