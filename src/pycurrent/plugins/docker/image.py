"""What pipelines say of images, and how the names of images are read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from pycurrent.errors import UsageError

DIGEST = r"sha256:[0-9a-f]{64}"

# What the reference grammar of Docker allows, without its finer points: it is for the engine to
# refuse a name, but nothing may be taken for an option or for several words.
_NAME = re.compile(r"(\[[0-9a-fA-F:]+\](:\d+)?/)?\w[\w.:/@+-]*", re.ASCII)

DOCKER_HUB = "https://index.docker.io/v1/"
"""As `docker login` calls it."""

_HUB_HOSTS = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
_SCHEME = re.compile(r"https?://", re.IGNORECASE)
_REGISTRY = re.compile(r"(\[[0-9a-fA-F:]+\]|\w[\w.-]*)(:\d{1,5})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Image:
    """An image in an engine. As text it is what a `FROM` line can have."""

    had_by: ClassVar[str] = "see docker.pull(...), and docker.build(...)"
    """What is told where something else is given."""

    id: str
    """By which its engine knows it: `sha256:...`"""
    digest: str | None = None
    """By which a registry knows it, if it was pulled: `repository@sha256:...`"""

    def __str__(self) -> str:
        return self.digest or self.id

    @property
    def short(self) -> str:
        """For people."""
        return self.id.removeprefix("sha256:")[:12]


def checked_name(name: str) -> str:
    """The name of an image, with a tag or a digest. Raises UsageError."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} can't be the name of an image: write one like debian:12")
    return name


def registry_of(name: str) -> str | None:
    """The registry that a name leads to; None is Docker Hub, as `docker` itself has it."""
    first, slash, _ = name.partition("/")
    is_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
    return first if is_host and first not in _HUB_HOSTS else None


def registry_host(address: str) -> str:
    """The host of a registry, with its port, however the address is spelled; or DOCKER_HUB.

    `docker` keeps a login under the host alone. Raises UsageError for what has none.
    """
    host = _SCHEME.sub("", address, count=1).partition("/")[0]
    if not _REGISTRY.fullmatch(host):
        raise UsageError(
            f"{address!r} can't be the address of a registry: write registry.example.org:5000"
        )
    return DOCKER_HUB if host.lower() in _HUB_HOSTS else host


def repository_of(name: str) -> str:
    """The name without its tag and digest."""
    path = name.partition("@")[0]
    folder, slash, last = path.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}"
