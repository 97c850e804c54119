"""Names for base images that only have an id.

BuildKit takes `FROM sha256:...` for a name in Docker Hub (moby#39769). So an image that a
Dockerfile or a build argument refers to by its id gets a name before the build. The name stays:
containerd's image store removes an image with its last name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pycurrent.plugins.docker.image import DIGEST
from pycurrent.plugins.docker.session import DockerSession
from pycurrent.term import Failure

BASES = "pycurrent-base"
"""The repository of these names, which `docker images` shows."""

_ID = re.compile(DIGEST)
# The places of a Dockerfile that refer to images: elsewhere it may be the checksum of a file.
_PLACES = re.compile(
    rf"(^[ \t]*FROM[ \t]+(?:--\S+[ \t]+)*|^[ \t]*ARG[ \t]+\w+=[\"']?|--from=|\bfrom=)({DIGEST})\b",
    re.IGNORECASE | re.MULTILINE,
)


async def with_named_bases(docker: DockerSession, dockerfile: str) -> str:
    """Return the Dockerfile with names in place of the ids of images of this engine."""
    ids = {place[2] for place in _PLACES.finditer(dockerfile)}
    names = {id: await _name_of(docker, id) for id in sorted(ids)}
    return _PLACES.sub(lambda place: place[1] + names[place[2]], dockerfile)


async def with_named_images(docker: DockerSession, build_args: Mapping[str, str]) -> dict[str, str]:
    """Return the build arguments with names in place of the ids of images of this engine."""
    return {
        name: await _name_of(docker, value) if _ID.fullmatch(value) else value
        for name, value in build_args.items()
    }


async def _name_of(docker: DockerSession, id: str) -> str:
    """Name the image; return its id if it is missing, which the builder will report."""
    name = f"{BASES}:{id.removeprefix('sha256:')}"
    try:
        await docker.ask("tag", id, name)
    except Failure:
        return id
    return name
