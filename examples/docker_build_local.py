"""Build the head of a local repository as an image, and run it.

    python examples/docker_build_local.py --repo ~/project --args "make test"

It builds each new commit with its own Dockerfile, and runs the image once. A newer commit stops the
build, or the container, of the older one.
"""

import shlex
from datetime import timedelta
from pathlib import Path

import pycurrent as current
from pycurrent import Current
from pycurrent.plugins import docker, git


def build_local(
    repo: Path = Path(),
    args: str = "",
    dockerfile: Path = Path("Dockerfile"),
    docker_host: str | None = None,
) -> Current[None]:
    """Build the head of a repository, and run the image.

    Args:
        repo: the repository
        args: the command for the image, as in a shell; by default its own
        dockerfile: the path of the Dockerfile in the repository
        docker_host: the address of a Docker engine, or one of Docker's contexts
    """
    engine = docker.Context(docker_host)
    commit = git.Local(repo).head_commit()
    image = engine.build(commit, dockerfile=dockerfile, timeout=timedelta(minutes=50))
    return engine.run(image, args=shlex.split(args), timeout=timedelta(minutes=10))


if __name__ == "__main__":
    current.main(build_local)
