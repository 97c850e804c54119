"""How the site is set up."""

from __future__ import annotations

from dataclasses import dataclass, field

from pycurrent.web.extensions import AuthorEntry
from pycurrent.web.users import HasRole, LoginProvider, Role

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8080


@dataclass(frozen=True, kw_only=True)
class AccessSettings:
    """What the pipeline's author, and who runs it, have decided."""

    has_role: HasRole | None = None
    """Decides on people who log in, and on those who have not, as None. Without it the role that
    they were given on this machine counts. Tokens, and who runs the engine, are not asked about.
    """
    allow_anonymous: Role | None = None
    """What anybody may do, without having logged in, whatever else is decided."""
    open_badges: bool = False
    """Whether anybody may see the badges, for pages of other sites."""
    open_metrics: bool = False
    """Whether anybody may see the metrics, for what collects them."""
    public_url: str | None = None
    """How the site is reached from elsewhere: `https://ci.example.org`, without a path."""
    allowed_hosts: tuple[str, ...] = ()
    """More names that it is reached by; with a port, at this port only."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses, or networks, of proxies on other machines: what they say of who asks is believed
    (`X-Forwarded-For`, `X-Forwarded-Proto`). Those on this machine are.
    """
    providers: tuple[LoginProvider, ...] = ()
    """How people log in."""

    @property
    def ready_providers(self) -> tuple[LoginProvider, ...]:
        """Those by which somebody could log in now."""
        return tuple(provider for provider in self.providers if provider.is_ready)


@dataclass(frozen=True, kw_only=True)
class WebSettings:
    """What the pipeline's author, and who runs it, have decided."""

    host: str = DEFAULT_HOST
    """The address to listen at: by default only this machine can reach it."""
    port: int = DEFAULT_PORT
    """0 for any that is free."""
    access: AccessSettings = field(default_factory=AccessSettings)
    name: str = "pycurrent"
    """What the site is called."""
    pages: tuple[AuthorEntry, ...] = ()
    """What the author adds to it."""
    keep_alive: float = 15.0
    """Seconds after which something is sent on a stream on which nothing happens, so that
    whatever is in between takes it for alive, and a connection that was cut is noticed.
    """
