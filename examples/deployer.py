r"""Deploy several services, each from a branch of its own, and the deployer itself.

    python examples/deployer.py --repos https://git.example.org/octo \
        --registry registry.example.org/octo --confirm dangerous

TABLE says what runs where. For each row the pipeline polls the branch, builds its image, pushes it,
and updates the service of the swarm to exactly that image once somebody approves: on the dashboard,
or from a shell. The services have to be there: `docker service create --name shop_web IMAGE`. An
update that was under way when the deployer was killed has to be approved once more.

    python examples/deployer.py client confirm
    python examples/deployer.py client approve JOB

To roll back, pin the head of the row at an older commit, by the beginning of its hash. It is
deployed, after approval, from the image that is known, until somebody unpins the head:

    python examples/deployer.py client values "shop_web head"
    python examples/deployer.py client pin "shop_web head" 3f2a1c --reason "the shop is slow"
    python examples/deployer.py client unpin "shop_web head"

The last row is the deployer's own service: push to the branch `live` of its repository, approve,
and the swarm replaces it. The update goes on without it; the next deployer asks once more, and once
that is approved finds it done. Its service has one replica, a volume for `--state-dir`, the socket
of the engine, and the swarm's default order, which stops the old one first: only one engine can use
a state directory.

    docker service create --name deployer --replicas 1 --constraint node.role==manager \
        --mount type=volume,source=deployer,target=/state \
        --mount type=bind,source=/var/run/docker.sock,target=/var/run/docker.sock \
        registry.example.org/octo/deployer:live python deployer.py --state-dir /state ...

With `--github https://github.com` and a token in GITHUB_TOKEN (Metadata: read, Deployments: read
and write) GitHub shows under each environment what runs there. Set REGISTRY_USER and
REGISTRY_PASSWORD if the registry needs a password, and GIT_TOKEN if the repositories need a token.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import pycurrent as current
from pycurrent import Current, Failure, Level, Pool, Schedule, Secret
from pycurrent.plugins import docker, forge, git, github

T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """A branch of a repository, and the service that runs it."""

    service: str
    repo: str
    branch: str
    environment: str
    """Its name on GitHub."""
    level: Level = Level.DANGEROUS
    """With `--confirm dangerous` only the levels below need no approval."""
    url: str | None = None


TABLE = (
    Row("shop_web", "shop", "live", "production", url="https://shop.example.org"),
    Row("shop_staging", "shop", "next", "staging", level=Level.ABOVE_AVERAGE),
    Row("deployer", "deployer", "live", "deployer"),
)
EACH_MINUTE = Schedule(valid_for=timedelta(minutes=1))
BUILDS = Pool("builds", 2)


def deployer(
    repos: str, registry: str, docker_host: str | None = None, github: str | None = None
) -> Current[None]:
    """Deploy the branches of the table, or the older commits at which their heads are pinned.

    Args:
        repos: the address under which the repositories are
        registry: the beginning of the images' names
        docker_host: the address of a manager of the swarm, or one of Docker's contexts
        github: the address of the GitHub that shows the deployments
    """
    swarm = docker.Context(docker_host)
    return current.all({row.service: service(row, repos, registry, swarm, github) for row in TABLE})


def service(
    row: Row, repos: str, registry: str, swarm: docker.Context, on_github: str | None
) -> Current[None]:
    """Keep one service at its branch."""
    commit = git.clone(
        f"{repos}/{row.repo}",
        gref=f"refs/heads/{row.branch}",
        schedule=EACH_MINUTE,
        token=os.environ.get("GIT_TOKEN"),
        label=f"{row.service} head",
    )
    auth = account()
    image = swarm.build(
        commit, pool=BUILDS, timeout=timedelta(hours=1), label=f"{row.service} build"
    )
    # The tag is for people: the service gets the digest.
    tag = commit.map(lambda commit: f"{registry}/{row.repo}:{commit.hash[:12]}")
    pushed = swarm.push(
        image, tag, auth=auth, level=Level.ABOVE_AVERAGE, label=f"{row.service} push"
    )
    running = swarm.service(
        row.service, pushed, auth=auth, level=row.level, label=f"{row.service} deploy"
    )
    if on_github is None:
        return running
    # The deployment is that of the commit, which may be an older one than that of the branch.
    site = github.GitHub(Secret.from_env("GITHUB_TOKEN"), url=on_github)
    path = f"{repos.rpartition('/')[2]}/{row.repo}"
    home = site.repositories(where=lambda found: found.path == path).map(only)
    ref = current.map(
        lambda home, commit: forge.Branch(home, row.branch, commit.hash), home, commit
    )
    shown = site.deployment(
        ref, row.environment, running, url=row.url, label=f"{row.service} on GitHub"
    )
    return current.all([running, shown.ignore()])


def only(found: Sequence[T]) -> T:
    """The one that was found."""
    if not found:
        raise Failure("GitHub has no such repository, or does not show it to the token's user")
    return found[0]


def account() -> docker.Auth | None:
    """The account to push and pull with."""
    user, password = os.environ.get("REGISTRY_USER"), os.environ.get("REGISTRY_PASSWORD")
    return docker.Auth(user, password) if user and password else None


if __name__ == "__main__":
    current.main(deployer)
