"""Credentials for a registry."""

from __future__ import annotations

from dataclasses import dataclass, field

from pycurrent.errors import UsageError
from pycurrent.plugins.docker.image import registry_host
from pycurrent.plugins.options import Options


@dataclass(frozen=True, slots=True)
class Auth:
    """A user of a registry, and the password or token. Context, never part of a key.

    `registry` is `host` or `host:port`, by default the registry of the operation's image;
    `docker.io` is Docker Hub. A job logs in for itself alone, in a temporary folder that is removed
    with it. Raises UsageError for a malformed address.
    """

    username: str
    password: str = field(repr=False)
    registry: str | None = None

    def __post_init__(self) -> None:
        if self.registry is not None:
            object.__setattr__(self, "registry", registry_host(self.registry))


class AuthOptions(Options, total=False):
    """The options of a function that may log in to a registry."""

    auth: Auth | None


def named_registry(auth: Auth | None, operation: str) -> Auth | None:
    """Return the credentials. Raises UsageError if they don't name their registry.

    For operations that are not about one image: the password must not go to a registry that nobody
    has named.
    """
    if auth is not None and auth.registry is None:
        raise UsageError(
            f"{operation}: say which registry the password is for:"
            f' Auth({auth.username!r}, ..., registry="registry.example.org")'
        )
    return auth
