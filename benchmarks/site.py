"""An engine with its site, as `pycurrent run` has it, in this process."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.figures import NotMeasured

from pycurrent import Current, Engine, Level
from pycurrent.service import Service
from pycurrent.service.routes import Route
from pycurrent.web import AccessSettings, Role, WebSettings
from pycurrent.web.server import Address, Website, listening

LINE = b"%07d compiling module %d of 1000000, as ever\n"
"""The output of each job."""


@dataclass(frozen=True)
class Site:
    """A running engine with its site."""

    engine: Engine
    service: Service
    address: Address


@asynccontextmanager
async def serving(
    pipeline: Callable[[], Current[Any]], state_dir: Path, *, routes: Sequence[Route] = ()
) -> AsyncIterator[Site]:
    engine = Engine(pipeline, state_dir=state_dir)
    access = AccessSettings(allow_anonymous=Role.ADMIN)
    settings = WebSettings(port=0, access=access, routes=routes)
    with listening(settings) as listener:
        async with engine:
            service = Service(engine.opened)
            async with Website(service, settings).serving(listener) as address:
                yield Site(engine, service, address)


async def lines_of(site: Site, job_id: str | None) -> int:
    """Lines of a log, counted without the index that the site keeps."""
    assert job_id is not None
    data = await asyncio.to_thread(site.service.logs.source(job_id).read)
    return data.count(b"\n") + (not data.endswith(b"\n"))


async def begin_viewers(site: Site, *arguments: str) -> asyncio.subprocess.Process:
    """The process of those who look on; they have read all that there is to see."""
    address = (site.address.host, str(site.address.port))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.viewers", *address, *arguments),
        cwd=Path(__file__).parent.parent,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    if await process.stdout.readline() != b"ready\n":
        raise NotMeasured("the viewers could not begin")
    return process


def tell_the_end(site: Site) -> None:
    """Change the threshold, by which viewers know that they have seen all."""
    config = site.engine.config
    level = Level.DANGEROUS if config.confirm is None else None
    site.service.confirmation.set(level, by="the benchmark")
