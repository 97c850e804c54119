"""How the site is set up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pycurrent.engine import Level
from pycurrent.service.login import HasRole, LoginProvider, Role
from pycurrent.service.routes import Route
from pycurrent.web.extensions import AuthorEntry

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8080


@dataclass(frozen=True, kw_only=True)
class AccessSettings:
    """Settings made by the pipeline's author and on the command line."""

    has_role: HasRole | None = None
    """Decides on people who log in, and on those who have not, as None. Without it the role that
    they were given on this machine counts. Tokens, and who runs the engine, are not asked about.
    """
    allow_anonymous: Role | None = None
    """The role of anybody who has not logged in."""
    reason_from: Level | None = None
    """At this level, or above it, jobs are cancelled, approved or rebuilt only with a reason."""
    open_badges: bool = False
    """True: anybody may see the badges, so that pages of other sites can show them."""
    open_metrics: bool = False
    """True: anybody may see the metrics."""
    public_url: str | None = None
    """How the site is reached from elsewhere: `https://ci.example.org`, without a path."""
    allowed_hosts: tuple[str, ...] = ()
    """More names that it is reached by; with a port, at this port only."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses, or networks, of proxies on other machines: their forwarding headers are trusted
    (`X-Forwarded-For`, `X-Forwarded-Proto`). Proxies on this machine are trusted anyway.
    """
    providers: tuple[LoginProvider, ...] = ()
    """How people log in."""

    @property
    def ready_providers(self) -> tuple[LoginProvider, ...]:
        """The login providers that work now."""
        return tuple(provider for provider in self.providers if provider.is_ready)


@dataclass(frozen=True, kw_only=True)
class WebSettings:
    """Settings of a site, made by the pipeline's author and on the command line.

    It listens at `host` and `port` (0 for any that is free), by default only for this machine;
    `access` says who may do what, `name` is its title, `pages` are pages and links of the author's,
    and `routes` are addresses that their code, or a plugin, answers. `metrics` are the author's own
    metrics, a `CollectorRegistry` of `prometheus_client`. `metrics_stages` is how many
    failed stages the metrics name by their paths, and `keep_alive` the seconds between two signs of
    life on a stream.
    """

    host: str = DEFAULT_HOST
    """The address to listen at: by default only this machine can reach it."""
    port: int = DEFAULT_PORT
    """0 for any that is free."""
    access: AccessSettings = field(default_factory=AccessSettings)
    name: str = "pycurrent"
    """The name of the site."""
    pages: tuple[AuthorEntry, ...] = ()
    """The author's pages and links."""
    routes: Sequence[Route] = ()
    """Addresses that the author or a plugin answers, such as webhooks."""
    metrics: CollectorRegistry | None = None
    """The author's own metrics, which `/metrics` shows beside those of the engine."""
    metrics_stages: int = 0
    """How many failed stages the metrics name by their paths, and how many that wait for
    confirmation: those that have been so for longest. Each is a time series of its own.
    """
    keep_alive: float = 15.0
    """Seconds after which something is sent on a stream on which nothing happens, so that
    whatever is in between takes it for alive, and a connection that was cut is noticed.
    """
