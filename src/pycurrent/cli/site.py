"""The pages and the API of a run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from functools import partial
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from pycurrent.cli.load import SiteOf
from pycurrent.cli.run_options import RunOptions
from pycurrent.engine import OpenEngine
from pycurrent.view import EngineView

if TYPE_CHECKING:
    from pycurrent.web import WebSettings


class Serve(Protocol):
    """Makes the site of an engine that has just been opened."""

    def __call__(
        self, engine: OpenEngine, view: EngineView, /
    ) -> AbstractAsyncContextManager[str | None]:
        """Return what serves it within its block, with its address; None if there is none."""


class PreparedSite(Struct, frozen=True):
    """A site that can be served."""

    serve: Serve
    hand_over: Callable[[], None]
    """Has the program that comes next in this process listen at the same address."""


@contextmanager
def prepared_site(options: RunOptions, site: SiteOf | None, name: str) -> Iterator[PreparedSite]:
    """Check the settings of the site and take its port, before anything runs. Without settings of
    the author's it has this name.

    Raises `UsageError` if it can't be served as asked.
    """
    settings = check_site(options, site, name)
    if settings is None:
        yield PreparedSite(lambda engine, view: nullcontext(), lambda: None)
        return
    # Only here, because it takes a while to import.
    from pycurrent.service import Service
    from pycurrent.web.server import Website, hand_over, listening
    from pycurrent.web.users.owner import address_with

    with listening(settings) as listener:

        def serve(engine: OpenEngine, view: EngineView) -> AbstractAsyncContextManager[str | None]:
            # At once, so that the metrics and the events miss nothing.
            website = Website(Service(engine, view), settings)

            @asynccontextmanager
            async def serving() -> AsyncIterator[str | None]:
                async with website.serving(listener) as address:
                    public = settings.access.public_url
                    yield address.way_in if public is None else address_with(address.token, public)

            return serving()

        yield PreparedSite(serve, partial(hand_over, listener))


def check_site(options: RunOptions, site: SiteOf | None, name: str) -> WebSettings | None:
    """The settings of the site; None if there is none. Raises `UsageError` if they can't be."""
    if not options.serves:
        return None
    from pycurrent.web.server import check_settings

    settings = _settings(options, site, name)
    check_settings(settings)
    return settings


def _settings(options: RunOptions, site: SiteOf | None, name: str) -> WebSettings:
    """The author's settings, overridden by those of the command line."""
    from dataclasses import replace

    from pycurrent.web import WebSettings
    from pycurrent.web.server import with_users
    from pycurrent.web.users import Role

    settings = WebSettings(name=name) if site is None else site()
    access = settings.access
    anonymous = options.allow_anonymous
    settings = replace(
        settings,
        host=settings.host if options.host is None else options.host,
        port=settings.port if options.port is None else options.port,
        metrics_stages=settings.metrics_stages
        if options.metrics_stages is None
        else options.metrics_stages,
        access=replace(
            access,
            allow_anonymous=access.allow_anonymous if anonymous is None else Role(anonymous),
            reason_from=access.reason_from if options.reason_from is None else options.reason_from,
            open_badges=access.open_badges or options.open_badges,
            open_metrics=access.open_metrics or options.open_metrics,
            public_url=options.public_url or access.public_url,
            trusted_proxies=(*access.trusted_proxies, *options.trust_proxy),
            allowed_hosts=(*access.allowed_hosts, *options.allow_host),
        ),
    )
    return with_users(settings, options.state_dir)
