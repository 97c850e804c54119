"""Run a container for what it prints."""

from __future__ import annotations

from typing import ClassVar, Unpack

from pycurrent.engine import Level
from pycurrent.plugins.docker.client import Client
from pycurrent.plugins.docker.container import Container, RunKey
from pycurrent.plugins.docker.container_run import ContainerOptions, ContainerRun, container_run
from pycurrent.plugins.docker.image import Image
from pycurrent.plugins.options import with_options
from pycurrent.term import Current


class DockerPread(ContainerRun[str]):
    """Runs a container, and keeps what it prints."""

    id: ClassVar[str] = "docker-pread"
    verb: ClassVar[str] = "pread"

    async def finish(self, container: Container, key: RunKey) -> str:
        return await container.read()


@with_options(level=Level.AVERAGE, args=(), run_args=())
def pread(
    client: Client, /, image: Image | Current[Image], **options: Unpack[ContainerOptions]
) -> Current[str]:
    """Run the image once, and return its standard output. The options are as with `run`."""
    return container_run(pread, DockerPread, client, image, options)
