"""One image for each version of a base image, kept up to date.

    python examples/docker_matrix.py --base debian --versions 11 12 --name me/tools

The pipeline checks the base images once a week. When one of them has changed, it builds, tests and
tags the image on top of it; the others stay as they are.
"""

from datetime import timedelta

import pycurrent as current
from pycurrent import Current, Pool, Schedule
from pycurrent.plugins import docker

WEEKLY = Schedule(valid_for=timedelta(days=7))


def matrix(
    base: str = "debian",
    versions: tuple[str, ...] = ("11", "12"),
    setup: str = "apt-get update && apt-get install -y --no-install-recommends make",
    test: str = "make --version",
    name: str = "tools",
    workers: int = 2,
    docker_host: str | None = None,
) -> Current[None]:
    """Build an image on each version of a base image.

    Args:
        base: the base image, without a tag
        versions: its tags
        setup: the shell commands that set it up
        test: the shell commands that must succeed in the image
        name: the name of the images; the tag is the version
        workers: how many builds and tests run at once
        docker_host: the address of a Docker engine, or one of Docker's contexts
    """
    engine = docker.Context(docker_host)
    pool = Pool("builds", workers)

    def dockerfile(image: docker.Image) -> str:
        return f"FROM {image}\nRUN {setup}\n"

    def build(version: str) -> Current[None]:
        start = engine.pull(f"{base}:{version}", schedule=WEEKLY)
        image = engine.build(
            None, dockerfile=start.map(dockerfile), pool=pool, label=f"build {version}"
        )
        tested = engine.run(image, args=["sh", "-c", test], pool=pool, label=f"test {version}")
        return engine.tag(image.gate(on=tested), f"{name}:{version}")

    return current.all({version: build(version) for version in versions})


if __name__ == "__main__":
    current.main(matrix)
