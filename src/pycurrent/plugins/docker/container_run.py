"""Runs of containers: the options and the operation that `run` and `pread` share."""

from __future__ import annotations

import shlex
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from pycurrent.cache import Builder, Retry, Schedule
from pycurrent.engine import Job
from pycurrent.engine.limits import Limits
from pycurrent.engine.secret import Secret
from pycurrent.plugins.argv import Argv, as_text, checked_words
from pycurrent.plugins.docker.client import Client
from pycurrent.plugins.docker.container import Container, RunKey, container
from pycurrent.plugins.docker.container_files import give
from pycurrent.plugins.docker.image import Image
from pycurrent.plugins.docker.secrets import DockerSecrets
from pycurrent.plugins.docker.session import session
from pycurrent.plugins.options import Options, limits_of, named_after, operation_component
from pycurrent.plugins.saved_files import GivenFiles
from pycurrent.term import Current, Primitive

V = TypeVar("V")

NO_FILES = GivenFiles({})


class ContainerOptions(Options, total=False):
    """The options of a container that is run."""

    args: Argv
    run_args: Argv
    secrets: Mapping[str, str | Secret] | None
    schedule: Schedule | None


@dataclass(frozen=True, slots=True)
class ContainerRun(Builder[RunKey, V]):
    """Runs a container to its end."""

    auto_cancel: ClassVar[bool] = True
    local: ClassVar[bool] = True
    durable: ClassVar[bool] = True
    verb: ClassVar[str]

    client: Client
    secrets: DockerSecrets
    limits: Limits

    def describe(self, key: RunKey) -> str:
        return f"{self.verb} {_shown(key.args)}"

    async def build(self, job: Job, key: RunKey) -> V:
        async with (
            session(self.client, job) as docker,
            container(docker, key, self.secrets) as made,
        ):
            await give(made, key.inputs)
            return await self.finish(made, key)

    def wanted(
        self, key: RunKey, *, retry: Retry | None, schedule: Schedule | None
    ) -> Primitive[V]:
        """Want the result for a key."""
        return self.get(key, retry=retry, schedule=schedule)

    @abstractmethod
    async def finish(self, container: Container, key: RunKey) -> V:
        """Start the container, and wait until it ends. Raises Failure if its command fails."""


def container_run(
    public: Callable[..., object],
    operation: Callable[[Client, DockerSecrets, Limits], ContainerRun[V]],
    client: Client,
    image: Image | Current[Image],
    options: ContainerOptions,
    *,
    given: GivenFiles = NO_FILES,
    outputs: tuple[str, ...] = (),
    outputs_required: bool = False,
) -> Current[V]:
    """The component of a run, made for a `public` function."""
    secrets = DockerSecrets.of(options["secrets"])
    work, schedule = operation(client, secrets, limits_of(options)), options["schedule"]

    @named_after(public)
    def on_values(
        image: Image, args: Sequence[str], run_args: Sequence[str], shown: str, *rest: Any
    ) -> Primitive[V]:
        inputs = given.with_values(rest[0] if rest else ())
        words, run_words = _words(args), _words(run_args)
        files = (inputs, outputs, outputs_required)
        key = RunKey(client.engine, image.id, words, run_words, *files)
        return work.wanted(key, schedule=schedule, retry=options["retry"])

    args, run_args = options["args"], options["run_args"]
    return operation_component(
        *(options["label"], f"{work.verb} {{shown}}", on_values),
        *(image, args, run_args, as_text(args, _shown), *given.currents),
    )


def _words(words: Sequence[str]) -> tuple[str, ...]:
    return checked_words(words, "arguments are a list of words")


def _shown(words: Sequence[str]) -> str:
    return shlex.join(_words(words))
