"""Run a container for its effect: a test, a task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Unpack, overload

from pycurrent.cache import Retry, Schedule
from pycurrent.engine import Level
from pycurrent.files import Tree
from pycurrent.plugins.docker.client import Client
from pycurrent.plugins.docker.container import Container, RunKey
from pycurrent.plugins.docker.container_files import checked_places, take
from pycurrent.plugins.docker.container_run import ContainerOptions, ContainerRun, container_run
from pycurrent.plugins.docker.image import Image
from pycurrent.plugins.options import with_options
from pycurrent.plugins.saved_files import GivenFiles, InputFiles, of_engine_files
from pycurrent.term import Current, Primitive

if TYPE_CHECKING:
    from pycurrent.engine.job_files import JobFiles


class DockerRun(ContainerRun[None]):
    """Runs a container, with its output in the log."""

    id: ClassVar[str] = "docker-run"
    verb: ClassVar[str] = "run"

    async def finish(self, container: Container, key: RunKey) -> None:
        await container.run()


@dataclass(frozen=True, slots=True)
class DockerFiles(ContainerRun[Tree]):
    """Runs a container for the files that it makes."""

    id: ClassVar[str] = "docker-files"
    verb: ClassVar[str] = "run"

    files: JobFiles | None = None
    """The files of the engine."""

    def wanted(
        self, key: RunKey, *, retry: Retry | None, schedule: Schedule | None
    ) -> Primitive[Tree]:
        return of_engine_files(
            lambda files: replace(self, files=files).get(key, retry=retry, schedule=schedule)
        )

    async def still_there(self, key: RunKey, outcome: Tree) -> bool:
        assert self.files is not None
        return await self.files.are_there(outcome)

    async def finish(self, container: Container, key: RunKey) -> Tree:
        await container.run()
        return await take(container, key.outputs, required=key.outputs_required)


@overload
def run(
    client: Client,
    /,
    image: Image | Current[Image],
    *,
    inputs: InputFiles | None = None,
    outputs: None = None,
    **options: Unpack[ContainerOptions],
) -> Current[None]: ...
@overload
def run(
    client: Client,
    /,
    image: Image | Current[Image],
    *,
    inputs: InputFiles | None = None,
    outputs: str | Sequence[str],
    outputs_required: bool = False,
    **options: Unpack[ContainerOptions],
) -> Current[Tree]: ...
@with_options(level=Level.AVERAGE, args=(), run_args=())
def run(
    client: Client,
    /,
    image: Image | Current[Image],
    *,
    inputs: InputFiles | None = None,
    outputs: str | Sequence[str] | None = None,
    outputs_required: bool = False,
    **options: Unpack[ContainerOptions],
) -> Current[None] | Current[Tree]:
    """Run the image once with these arguments; it succeeds if its command exits with 0.

    `run_args` are options of `docker run`. Both are recorded. The values of `secrets`, texts or
    `Secret`s that become environment variables, are not. When the run is cancelled, because nobody
    needs it any more or after `timeout`, it has four seconds to end. Nothing is left of the
    container: whatever is to stay has to go into a named volume, or be one of its outputs.

    `inputs` are files that jobs have saved, by the paths at which the container finds them:
    `{"/in": tree}`. `outputs` are patterns of the files that it makes, which are kept and returned
    as a `Tree`: `"/out/**"`. Paths without a slash in front are in its working folder: that of the
    image, or of `run_args=["--workdir=/work"]`. The files are copied to the engine and back, so it
    may be on another machine. A pattern that matches nothing is in the log; with
    `outputs_required` it is a failure.
    """
    given, patterns = GivenFiles.of(inputs, absolute=True), checked_places(outputs)
    if not patterns:
        return container_run(run, DockerRun, client, image, options, given=given)
    return container_run(
        run,
        DockerFiles,
        client,
        image,
        options,
        given=given,
        outputs=patterns,
        outputs_required=outputs_required,
    )
