"""The site of an engine in a program of one's own."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from importlib import import_module
from typing import TYPE_CHECKING, Self

from pycurrent.errors import PycurrentError, WrongKind
from pycurrent.facade import Engine
from pycurrent.term import shown
from pycurrent.web.settings import WebSettings

if TYPE_CHECKING:
    from pycurrent.web.server import Address


class Site:
    """The pages, the API and the metrics of an engine, in a program of one's own.

        async with Engine(pipeline, state_dir="state") as engine, Site(engine) as site:
            print("serving", site.way_in)
            await engine.failed()

    Use it as an async context manager, once, within that of the engine. People log in as with
    `pycurrent run`: by the token, or the users in the state directory. It raises `UsageError`
    when it begins if the settings can't be, or the port is taken.
    """

    def __init__(self, engine: Engine, settings: WebSettings | None = None) -> None:
        if not isinstance(engine, Engine):
            raise WrongKind(f"Site: expected an Engine, not {shown(engine)}")
        if not isinstance(settings, WebSettings | None):
            raise WrongKind(f"Site: expected WebSettings, not {shown(settings)}")
        self.engine = engine
        self.settings = settings or WebSettings()
        self._address: Address | None = None
        self._closing = AsyncExitStack()

    async def __aenter__(self) -> Self:
        # It takes a while to import: only here, and not on the thread of the engine.
        await asyncio.to_thread(import_module, "pycurrent.web.server")
        from pycurrent.service import Service
        from pycurrent.web.server import Website, check_settings, listening, with_users

        if self._address is not None:
            raise PycurrentError("a site is served once: make another one")
        opened = self.engine.opened
        if opened.is_closed:
            raise PycurrentError("the engine has ended: write `async with engine, Site(engine)`")
        settings = with_users(self.settings, opened.state.path)
        check_settings(settings)
        async with AsyncExitStack() as closing:
            listener = closing.enter_context(listening(settings))
            website = Website(Service(opened), settings)
            self._address = await closing.enter_async_context(website.serving(listener))
            self._closing = closing.pop_all()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """End the streams, let what is being answered finish, and give up the port."""
        await self._closing.aclose()

    @property
    def url(self) -> str:
        """How to reach it: the public address, or that on this machine with the port it got."""
        return self.settings.access.public_url or self._served.url

    @property
    def way_in(self) -> str:
        """The same, with the token that lets a browser in where nobody has set up a login."""
        from pycurrent.web.users.owner import address_with

        return address_with(self._served.token, self.url)

    @property
    def _served(self) -> Address:
        if self._address is None:
            raise PycurrentError("the site is not served: use it within `async with Site(engine)`")
        return self._address
