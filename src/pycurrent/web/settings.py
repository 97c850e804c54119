"""How the site is set up."""

from __future__ import annotations

from dataclasses import dataclass, field

from pycurrent.web.auth import AccessSettings
from pycurrent.web.authors import AuthorEntry

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8080


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
