"""The builders, BuildKit and the classic one, and the images that they have built.

The client, its plugins, its environment and the engine decide which of them `docker build` is. So
we ask for its options instead of guessing. Two things matter:

- BuildKit adds attestations, and one of them contains a time. With containerd's image store each
  build then has a different id, even if it is fully cached. So attestations are left out.
- Without attestations, the `--iidfile` of that store has a digest that the engine does not know.
  The right one is in the metadata, which the classic builder neither writes nor needs.
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
    """A builder, and the options that it takes."""

    known: str
    """The output of its --help."""

    def options(self, result: Path) -> list[str]:
        """Return the options of each build, which has the builder report to the folder `result`."""
        words = [f"--iidfile={result / _ID}"]
        wanted = {
            # Without it, the classic builder keeps the container of a failed step.
            "--force-rm": "--force-rm",
            # Without it, a builder outside the engine keeps the image.
            "--load": "--load",
            "--metadata-file": f"--metadata-file={result / _METADATA}",
            "--provenance": "--provenance=false",
            "--sbom": "--sbom=false",
        }
        return words + [word for option, word in wanted.items() if f"{option} " in self.known]


async def builder_of(docker: DockerSession, program: Sequence[str]) -> ImageBuilder:
    """Find out about the builder behind `docker build` or `docker buildx build`."""
    return ImageBuilder(await docker.ask(*program, "--help"))


def built_id(result: Path) -> str:
    """Return the id by which the engine knows the built image."""
    metadata = result / _METADATA
    if metadata.exists():
        digest = json.loads(metadata.read_text()).get(_DIGEST)
        if digest is not None:
            return str(digest)
    return (result / _ID).read_text().strip()
