"""Keep a service of a swarm at the head of a repository, and its base image fresh.

    python examples/docker_service.py --repo ~/shop --image registry.example.org/shop --service shop

The pipeline builds the image for each new commit, and once a week on a fresh base image. It pushes
the image to a registry, and updates the service to exactly that image. If the swarm rolls the
update back, the stage fails. With `--confirm dangerous` a person has to approve the push and the
update.

Set REGISTRY_USER and REGISTRY_PASSWORD if the registry needs a password.
"""

import os
from datetime import timedelta
from pathlib import Path

import pycurrent as current
from pycurrent import Current, Schedule
from pycurrent.plugins import docker, git

WEEKLY = Schedule(valid_for=timedelta(days=7))


def service(
    image: str,
    service: str,
    repo: Path = Path(),
    branch: str = "main",
    docker_host: str | None = None,
) -> Current[None]:
    """Build, push and deploy the head of a branch.

    Args:
        image: the name of the image in its registry, without a tag
        service: the existing service of the swarm
        repo: the repository
        branch: the branch to deploy
        docker_host: the address of a manager of the swarm, or one of Docker's contexts
    """
    user, password = os.environ.get("REGISTRY_USER"), os.environ.get("REGISTRY_PASSWORD")
    auth = docker.Auth(user, password) if user and password else None
    swarm = docker.Context(docker_host)
    commit = git.Local(repo).commit_of_ref(f"refs/heads/{branch}")
    built = swarm.build(commit, pull=True, schedule=WEEKLY, timeout=timedelta(hours=1))
    pushed = swarm.push(built, f"{image}:{branch}", auth=auth)
    return swarm.service(service, pushed, auth=auth, timeout=timedelta(minutes=15))


if __name__ == "__main__":
    current.main(service)
