"""Real engines with their sites, in the process of the test."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pycurrent.engine import Config
from pycurrent.facade import Engine
from pycurrent.service import Service
from pycurrent.term import Current
from pycurrent.web.server import Website, listening
from pycurrent.web.settings import AccessSettings, WebSettings
from pycurrent.web.users import Role

FOR_ALL = AccessSettings(allow_anonymous=Role.ADMIN)
"""Whoever gets there may do everything: what is tested is not who is let in."""
ANY_PORT = WebSettings(port=0, access=FOR_ALL)


@dataclass(frozen=True)
class RunningSite:
    """An engine, and where it is served."""

    url: str
    engine: Engine
    service: Service


@asynccontextmanager
async def running_site(
    pipeline: Callable[[], Current[Any]],
    state_dir: Path,
    *,
    settings: WebSettings = ANY_PORT,
    config: Config | None = None,
) -> AsyncIterator[RunningSite]:
    """Runs a pipeline, and serves it to this machine, within the block."""
    engine = Engine(pipeline, state_dir=state_dir, config=config)
    made: list[Website] = []
    engine.on_open(lambda opened: made.append(Website(Service(opened), settings)))
    with listening(settings) as listener:
        async with engine, made[0].serving(listener) as address:
            yield RunningSite(address.url, engine, made[0].service)
    engine.raise_if_crashed()
