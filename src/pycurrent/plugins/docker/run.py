"""Run a container for its effect: a test, a task."""

from __future__ import annotations

from typing import ClassVar, Unpack

from pycurrent.engine import Level
from pycurrent.plugins.docker.client import Client
from pycurrent.plugins.docker.container import Container
from pycurrent.plugins.docker.container_run import ContainerOptions, ContainerRun, container_run
from pycurrent.plugins.docker.image import Image
from pycurrent.plugins.options import with_options
from pycurrent.term import Current


class DockerRun(ContainerRun[None]):
    """Runs a container, with its output in the log."""

    id: ClassVar[str] = "docker-run"
    verb: ClassVar[str] = "run"

    async def finish(self, container: Container) -> None:
        await container.run()


@with_options(level=Level.AVERAGE, args=(), run_args=())
def run(
    client: Client, /, image: Image | Current[Image], **options: Unpack[ContainerOptions]
) -> Current[None]:
    """Run the image once with these arguments; it succeeds if its command exits with 0.

    `run_args` are options of `docker run`. Both are recorded. The values of `secrets`, texts or
    `Secret`s that become environment variables, are not. When the run is cancelled, because nobody
    needs it any more or after `timeout`, it has four seconds to end. Nothing is left of the
    container: whatever is to stay has to go into a named volume.
    """
    return container_run(run, DockerRun, client, image, options)
