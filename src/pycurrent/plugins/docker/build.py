"""Build an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import ClassVar

from pycurrent.cache import Builder, Schedule
from pycurrent.engine import AnyPool, Job, Level
from pycurrent.errors import UsageError
from pycurrent.plugins.docker.auth import Auth
from pycurrent.plugins.docker.client import Client
from pycurrent.plugins.docker.image import Image
from pycurrent.plugins.docker.labels import label_or
from pycurrent.plugins.docker.limits import Limits, Timeout
from pycurrent.plugins.docker.secrets import NO_SECRETS, Secrets
from pycurrent.plugins.docker.session import session
from pycurrent.plugins.docker.source import Source, checked_path, inside, with_source
from pycurrent.plugins.git import Commit
from pycurrent.term import Current, Primitive, component


@dataclass(frozen=True, slots=True)
class BuildKey:
    """What the image depends on: not in which repository the commit is found."""

    engine: str
    source: str | Path | None
    """The hash of a commit, or a folder."""
    path: PurePath
    dockerfile: str | PurePath
    """The text, or where it is below `path`."""
    build_args: dict[str, str]
    platform: str | None
    target: str | None
    squash: bool
    buildx: bool
    pull: bool

    def options(self) -> list[str]:
        # Without --force-rm the classic builder keeps the container of a step that failed.
        words = ["buildx", "build", "--load"] if self.buildx else ["build", "--force-rm"]
        words += [f"--build-arg={name}={value}" for name, value in self.build_args.items()]
        words += [] if self.platform is None else [f"--platform={self.platform}"]
        words += [] if self.target is None else [f"--target={self.target}"]
        words += ["--squash"] if self.squash else []
        words += ["--pull"] if self.pull else []
        return words


@dataclass(frozen=True, slots=True)
class Build(Builder[BuildKey, Image]):
    """Builds an image, and leaves it in the engine without a name."""

    id: ClassVar[str] = "docker-build"
    auto_cancel: ClassVar[bool] = True

    client: Client
    source: Source
    secrets: Secrets
    auth: Auth | None
    registry: str
    limits: Limits

    def describe(self, key: BuildKey) -> str:
        source = "nothing" if self.source is None else self.source
        return f"build {source}" if key.path == PurePath() else f"build {source} in {key.path}"

    async def build(self, job: Job, key: BuildKey) -> Image:
        await self.limits.start(job)
        async with (
            session(self.client, job, auth=self.auth, name=self.registry) as docker,
            with_source(job, self.source, key.path) as folder,
            job.tempdir("image-") as result,
            self.secrets.shared(job) as env,
        ):
            text = key.dockerfile if isinstance(key.dockerfile, str) else None
            file = "-" if text is not None else str(inside(folder, PurePath(key.dockerfile)))
            id = result / "id"
            await docker.exec(
                *key.options(),
                *self.secrets.build_options(),
                f"--file={file}",
                f"--iidfile={id}",
                str(folder),
                stdin=text,
                env=env,
            )
            return Image(id.read_text().strip())
