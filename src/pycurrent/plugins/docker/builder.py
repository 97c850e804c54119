"""What builds: BuildKit or the classic builder, and how the image that it made is found.

Which of them `docker build` is depends on the client, its plugins, its environment and the engine.
What it can do is therefore asked, not guessed. Two things matter:

- BuildKit adds attestations, and in one of them is a time: where the engine stores images as
  containerd does, each build has another id then, even one that is wholly cached. So they are left
  out.
- There, without them, `--iidfile` holds a digest that the engine does not know the image by. The
  right one is in the metadata, which the classic builder does not write, and does not need to.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pycurrent.plugins.docker.session import DockerSession

_DIGEST = "containerimage.digest"
_ID, _METADATA = "id", "metadata.json"


@dataclass(frozen=True, slots=True)
class ImageBuilder:
    """The options that a builder takes."""

    known: str
    """What it says of itself when it is asked for help."""

    def options(self, result: Path) -> list[str]:
        """Those that each build has; what was built is told in the folder `result`."""
        words = [f"--iidfile={result / _ID}"]
        wanted = {
            # Without it the classic builder keeps the container of a step that failed.
            "--force-rm": "--force-rm",
            # Without it a builder outside the engine keeps the image.
            "--load": "--load",
            "--metadata-file": f"--metadata-file={result / _METADATA}",
            "--provenance": "--provenance=false",
            "--sbom": "--sbom=false",
        }
        return words + [word for option, word in wanted.items() if f"{option} " in self.known]


async def builder_of(docker: DockerSession, program: Sequence[str]) -> ImageBuilder:
    """The builder behind `docker build` or `docker buildx build`."""
    return ImageBuilder(await docker.ask(*program, "--help"))


def built_id(result: Path) -> str:
    """The id by which the engine knows what was built."""
    metadata = result / _METADATA
    if metadata.exists():
        digest = json.loads(metadata.read_text()).get(_DIGEST)
        if digest is not None:
            return str(digest)
    return (result / _ID).read_text().strip()
