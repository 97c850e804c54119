"""Images as values of pipelines, and the parts of their names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from pycurrent.errors import UsageError

DIGEST = r"sha256:[0-9a-f]{64}"

# Docker's reference grammar without its finer points: the engine itself refuses bad names, but none
# may be taken for an option, or for several words.
_NAME = re.compile(r"(\[[0-9a-fA-F:]+\](:\d+)?/)?\w[\w.:/@+-]*", re.ASCII)

DOCKER_HUB = "https://index.docker.io/v1/"
"""The name of Docker Hub for `docker login`."""

_HUB_HOSTS = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
_SCHEME = re.compile(r"https?://", re.IGNORECASE)
_REGISTRY = re.compile(r"(\[[0-9a-fA-F:]+\]|\w[\w.-]*)(:\d{1,5})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Image:
    """An image in an engine. Its text can stand in a `FROM` line."""

    had_by: ClassVar[str] = "see docker.DEFAULT.pull(...), and docker.DEFAULT.build(...)"
    """The hint in the message when something else is given in its place."""

    id: str
    """The id by which its engine knows it: `sha256:...`"""
    digest: str | None = None
    """The digest by which a registry knows it, if it was pulled: `repository@sha256:...`"""

    def __str__(self) -> str:
        return self.digest or self.id

    @property
    def short(self) -> str:
        """A short id for people."""
        return self.id.removeprefix("sha256:")[:12]


def checked_name(name: str) -> str:
    """Return the name of an image, with a tag or digest. Raises UsageError if malformed."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is not the name of an image: write one like debian:12")
    return name


def registry_of(name: str) -> str | None:
    """Return the registry in a name; None is Docker Hub, as for `docker` itself."""
    first, slash, _ = name.partition("/")
    is_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
    return first if is_host and first not in _HUB_HOSTS else None


def registry_host(address: str) -> str:
    """Return the host and port of a registry, or DOCKER_HUB, however the address is spelled.

    `docker` keeps a login by the host alone. Raises UsageError for an address without a host.
    """
    host = _SCHEME.sub("", address, count=1).partition("/")[0]
    if not _REGISTRY.fullmatch(host):
        raise UsageError(
            f"{address!r} is not the address of a registry: write registry.example.org:5000"
        )
    return DOCKER_HUB if host.lower() in _HUB_HOSTS else host


def repository_of(name: str) -> str:
    """Return a name without its tag and digest."""
    path = name.partition("@")[0]
    folder, slash, last = path.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}"
