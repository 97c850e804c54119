"""An engine, with all operations as methods."""

from __future__ import annotations

from dataclasses import dataclass

from pycurrent.plugins.docker.build import build
from pycurrent.plugins.docker.client import Client
from pycurrent.plugins.docker.compose import compose
from pycurrent.plugins.docker.peek import peek
from pycurrent.plugins.docker.pread import pread
from pycurrent.plugins.docker.pull import pull
from pycurrent.plugins.docker.push import push
from pycurrent.plugins.docker.push_manifest import push_manifest
from pycurrent.plugins.docker.run import run
from pycurrent.plugins.docker.service import service
from pycurrent.plugins.docker.tag import tag


@dataclass(frozen=True)
class Context(Client):
    """One engine, with the operations as methods. A pipeline can use several engines.

    See `Client` for the fields. Each operation is a function of a client, in a module of its own.
    """

    pull = pull
    peek = peek
    build = build
    run = run
    pread = pread
    tag = tag
    push = push
    push_manifest = push_manifest
    service = service
    compose = compose


DEFAULT = Context()
"""The engine that `docker` uses by default."""
