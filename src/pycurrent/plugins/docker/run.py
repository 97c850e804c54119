"""Run a container for its effect: a test, a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from pycurrent.cache import Builder, Schedule
from pycurrent.engine import AnyPool, Job, Level
from pycurrent.plugins.docker.client import Client
from pycurrent.plugins.docker.container import RunKey, container
from pycurrent.plugins.docker.image import Image
from pycurrent.plugins.docker.secrets import Secrets
from pycurrent.plugins.docker.session import session
from pycurrent.plugins.docker.words import Words, shown, words_of
from pycurrent.plugins.labels import label_or
from pycurrent.plugins.limits import Limits, Timeout
from pycurrent.term import Current, Primitive, component, map


@dataclass(frozen=True, slots=True)
class Run(Builder[RunKey, None]):
    """Runs a container to its end."""

    id: ClassVar[str] = "docker-run"
    auto_cancel: ClassVar[bool] = True

    client: Client
    secrets: Secrets
    limits: Limits

    def describe(self, key: RunKey) -> str:
        return f"run {shown(key.args)}"

    async def build(self, job: Job, key: RunKey) -> None:
        await self.limits.start(job)
        async with (
            session(self.client, job) as docker,
            container(docker, key, self.secrets) as made,
        ):
            await made.run()


def run(
    client: Client,
    /,
    image: Image | Current[Image],
    *,
    args: Words = (),
    run_args: Words = (),
    secrets: Mapping[str, str] | None = None,
    schedule: Schedule | None = None,
    timeout: Timeout = None,
    pool: AnyPool | None = None,
    level: Level = Level.AVERAGE,
    label: str | None = None,
) -> Current[None]:
    """Run the image once with these arguments; it succeeds if its command exits with 0.

    `run_args` are options of `docker run`. All are recorded: what is secret goes into `secrets`,
    environment variables that are not. Cancelled, when nobody needs it any more or after
    `timeout`, it has four seconds to end. Nothing is left of it in any case: what is to stay has
    to go into a volume with a name.
    """
    work = Run(client, Secrets(dict(secrets or {})), Limits(level, pool, timeout))

    def on_values(
        image: Image, args: Sequence[str], run_args: Sequence[str], shown: str
    ) -> Primitive[None]:
        key = RunKey(client.engine, image.id, words_of(args), words_of(run_args))
        return work.get(key, schedule=schedule)

    text = map(shown, args) if isinstance(args, Current) else shown(args)
    return component(label_or(label, "run {shown}"))(on_values)(image, args, run_args, text)
