"""Build an image."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import ClassVar, Unpack

from pycurrent.cache import Builder, Schedule
from pycurrent.engine import Job, Level
from pycurrent.engine.limits import Limits
from pycurrent.engine.secret import Secret
from pycurrent.errors import UsageError
from pycurrent.files import Tree
from pycurrent.plugins.docker.auth import Auth, AuthOptions, named_registry
from pycurrent.plugins.docker.bases import with_named_bases, with_named_images
from pycurrent.plugins.docker.builder import builder_of, built_id
from pycurrent.plugins.docker.client import Client
from pycurrent.plugins.docker.image import Image
from pycurrent.plugins.docker.image_ids import have_images
from pycurrent.plugins.docker.secrets import DockerSecrets
from pycurrent.plugins.docker.session import session
from pycurrent.plugins.docker.source import Source, checked_path, inside, with_source
from pycurrent.plugins.git import Commit, Subtree
from pycurrent.plugins.git.subtree import commit_labels, content_of
from pycurrent.plugins.options import limits_of, operation_component, with_options
from pycurrent.term import Current, Primitive

DOCKERFILE = PurePath("Dockerfile")
_FROM = re.compile(r"^\s*FROM\s+(?:--\S+\s+)*(\S+)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class BuildKey:
    """Everything that the image depends on. The repository of the commit does not matter."""

    engine: str
    source: str | dict[str, str] | Tree | Path | None
    """The hash of a commit, the ids of a part of one, files that a job has saved, or a folder."""
    path: PurePath
    dockerfile: str | PurePath
    """The text, or its path within `path`."""
    build_args: dict[str, str]
    platform: str | None
    target: str | None
    squash: bool
    buildx: bool
    pull: bool

    @property
    def program(self) -> list[str]:
        return ["buildx", "build"] if self.buildx else ["build"]

    def options(self) -> list[str]:
        words = [] if self.platform is None else [f"--platform={self.platform}"]
        words += [] if self.target is None else [f"--target={self.target}"]
        words += ["--squash"] if self.squash else []
        words += ["--pull"] if self.pull else []
        return words


@dataclass(frozen=True, slots=True)
class DockerBuild(Builder[BuildKey, Image]):
    """Builds an image without a name, which stays in the engine."""

    id: ClassVar[str] = "docker-build"
    local: ClassVar[bool] = True
    durable: ClassVar[bool] = True
    auto_cancel: ClassVar[bool] = True

    # Equal for one engine, so that it is asked about all their images at once.
    client: Client
    source: Source = field(compare=False)
    secrets: DockerSecrets = field(compare=False)
    auth: Auth | None = field(compare=False)
    limits: Limits = field(compare=False)

    def describe(self, key: BuildKey) -> str:
        source = _first_base(key) if self.source is None else self.source
        return f"build {source}" if key.path == PurePath() else f"build {source} in {key.path}"

    def labels(self, key: BuildKey) -> Mapping[str, str]:
        return commit_labels(self.source)

    async def build(self, job: Job, key: BuildKey) -> Image:
        async with (
            session(self.client, job, auth=self.auth) as docker,
            with_source(job, self.source, key.path) as folder,
            job.tempdir("image-") as result,
        ):
            is_text = isinstance(key.dockerfile, str)
            file = "-" if is_text else inside(folder, PurePath(key.dockerfile))
            builder = await builder_of(docker, key.program)
            args = await with_named_images(docker, key.build_args)
            await docker.exec(
                *key.program,
                *builder.options(result),
                *(f"--build-arg={name}={value}" for name, value in args.items()),
                *key.options(),
                *self.secrets.for_build(),
                f"--file={file}",
                str(folder),
                env=await self.secrets.told(job),
                stdin=await with_named_bases(docker, str(key.dockerfile)) if is_text else None,
            )

            async def built() -> str:
                return built_id(result)

            return Image(await job.once("image", built))

    async def still_there_many(self, pairs: Sequence[tuple[BuildKey, Image]]) -> list[bool]:
        return await have_images(self.client, [image for _, image in pairs])


def _first_base(key: BuildKey) -> str:
    """Describe a Dockerfile without a context by its first base image."""
    found = _FROM.search(str(key.dockerfile))
    return "without a context" if found is None else f"on {found[1]}"


class BuildOptions(AuthOptions, total=False):
    """The options of a build."""

    path: PurePath | str
    secrets: Mapping[str, str | Secret] | None
    platform: str | None
    target: str | None
    squash: bool
    buildx: bool
    pull: bool
    schedule: Schedule | None


@with_options(level=Level.AVERAGE, path=".", squash=False, buildx=False, pull=False)
def build(
    client: Client,
    /,
    context: Current[Commit]
    | Current[Subtree]
    | Current[Tree]
    | Commit
    | Subtree
    | Tree
    | Path
    | None,
    *,
    dockerfile: Current[str] | str | PurePath = DOCKERFILE,
    build_args: Current[Mapping[str, str]] | Mapping[str, str] | None = None,
    **options: Unpack[BuildOptions],
) -> Current[Image]:
    """Build an image from a commit, a `Tree` that a job has saved, a folder, or (None) a Dockerfile
    alone.

    It is built once for a commit or a tree and these options, or as often as the `schedule` says;
    the files of a folder are not watched. The image does not have a name, and lasts until somebody
    prunes it: `tag` it to keep it.

    `dockerfile` is the text, or its path within the context (`PurePath`); `path` is a folder within
    the context to use as the context. `build_args` are recorded, so keep secrets out of them;
    `secrets`, texts or `Secret`s, are not recorded, and need BuildKit. `pull` looks for newer base
    images. With `buildx` the build runs `docker buildx build`, otherwise `docker build`.
    """
    limits, auth = limits_of(options), named_registry(options["auth"], "build")
    secrets = DockerSecrets.of(options["secrets"])
    if context is None and isinstance(dockerfile, PurePath):
        raise UsageError('without a context, give the Dockerfile as a text: dockerfile="FROM ..."')

    def on_values(
        context: Source, dockerfile: str | PurePath, build_args: Mapping[str, str] | None
    ) -> Primitive[Image]:
        source = context.absolute() if isinstance(context, Path) else context
        key = _key(client, source, dockerfile, build_args or {}, options)
        work = DockerBuild(client, source, secrets, auth, limits)
        return work.get(key, schedule=options["schedule"], retry=options["retry"])

    default = "build" if context is None else "build {context}"
    return operation_component(
        options["label"], default, on_values, context, dockerfile, build_args
    )


def _key(
    client: Client,
    source: Source,
    dockerfile: str | PurePath,
    build_args: Mapping[str, str],
    options: BuildOptions,
) -> BuildKey:
    return BuildKey(
        engine=client.engine,
        source=content_of(source) if isinstance(source, Commit | Subtree) else source,
        path=checked_path(options["path"]),
        dockerfile=dockerfile if isinstance(dockerfile, str) else checked_path(dockerfile),
        build_args=dict(build_args),
        platform=options["platform"],
        target=options["target"],
        squash=options["squash"],
        buildx=options["buildx"],
        pull=options["pull"],
    )
