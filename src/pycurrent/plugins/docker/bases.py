"""Images that builds start from, and that have no name.

BuildKit takes `FROM sha256:...` for a name in Docker Hub (moby#39769). So an image of this engine
that a Dockerfile, or a build argument, refers to by its id is given a name before the build. It
keeps that: where images are stored as containerd does, one whose last name is taken away is gone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pycurrent.plugins.docker.image import DIGEST
from pycurrent.plugins.docker.session import DockerSession
from pycurrent.term import Failure

BASES = "pycurrent-base"
"""The repository of these names, as `docker images` shows it."""

_ID = re.compile(DIGEST)
# Where a Dockerfile refers to an image: elsewhere the same may be the checksum of a file.
_PLACES = re.compile(
    rf"(^[ \t]*FROM[ \t]+(?:--\S+[ \t]+)*|^[ \t]*ARG[ \t]+\w+=[\"']?|--from=|\bfrom=)({DIGEST})\b",
    re.IGNORECASE | re.MULTILINE,
)


async def with_named_bases(docker: DockerSession, dockerfile: str) -> str:
    """The Dockerfile, with names for the images of this engine that it refers to by their ids."""
    ids = {place[2] for place in _PLACES.finditer(dockerfile)}
    names = {id: await _name_of(docker, id) for id in sorted(ids)}
    return _PLACES.sub(lambda place: place[1] + names[place[2]], dockerfile)


async def with_named_images(docker: DockerSession, build_args: Mapping[str, str]) -> dict[str, str]:
    """The build arguments, with names for those that are the ids of images of this engine."""
    return {
        name: await _name_of(docker, value) if _ID.fullmatch(value) else value
        for name, value in build_args.items()
    }


async def _name_of(docker: DockerSession, id: str) -> str:
    """The name of the image; its id if it isn't there, which the builder will say."""
    name = f"{BASES}:{id.removeprefix('sha256:')}"
    try:
        await docker.ask("tag", id, name)
    except Failure:
        return id
    return name
