"""Runs of containers: the options and the operation that `run` and `pread` share."""

from __future__ import annotations

import shlex
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from pycurrent.cache import Builder, Schedule
from pycurrent.engine import Job
from pycurrent.engine.limits import Limits
from pycurrent.engine.secret import Secret
from pycurrent.plugins.argv import Argv, as_text, checked_words
from pycurrent.plugins.docker.client import Client
from pycurrent.plugins.docker.container import Container, RunKey, container
from pycurrent.plugins.docker.image import Image
from pycurrent.plugins.docker.secrets import DockerSecrets
from pycurrent.plugins.docker.session import session
from pycurrent.plugins.options import Options, limits_of, named_after, operation_component
from pycurrent.term import Current, Primitive

V = TypeVar("V")


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
            return await self.finish(made)

    @abstractmethod
    async def finish(self, container: Container) -> V:
        """Start the container, and wait until it ends. Raises Failure if its command fails."""


def container_run(
    public: Callable[..., object],
    operation: Callable[[Client, DockerSecrets, Limits], ContainerRun[V]],
    client: Client,
    image: Image | Current[Image],
    options: ContainerOptions,
) -> Current[V]:
    """The component of a run, made for a `public` function."""
    secrets = DockerSecrets.of(options["secrets"])
    work, schedule = operation(client, secrets, limits_of(options)), options["schedule"]

    @named_after(public)
    def on_values(
        image: Image, args: Sequence[str], run_args: Sequence[str], shown: str
    ) -> Primitive[V]:
        key = RunKey(client.engine, image.id, _words(args), _words(run_args))
        return work.get(key, schedule=schedule, retry=options["retry"])

    args, run_args = options["args"], options["run_args"]
    return operation_component(
        *(options["label"], f"{work.verb} {{shown}}", on_values),
        *(image, args, run_args, as_text(args, _shown)),
    )


def _words(words: Sequence[str]) -> tuple[str, ...]:
    return checked_words(words, "arguments are a list of words")


def _shown(words: Sequence[str]) -> str:
    return shlex.join(_words(words))
