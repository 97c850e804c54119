r"""Deploy commits that pass their tests, once somebody approves, and tell Slack.

    python examples/deploy.py --repo https://git.example.org/shop.git --test ./test.sh \
        --image registry.example.org/shop --service shop --confirm dangerous

The pipeline polls the head of a branch every five minutes. It builds an image of the head, runs
the tests in it, and pushes it if they pass. It updates the service of a swarm to exactly that image
when somebody has approved it: on the dashboard, or with `pycurrent client approve`.

To roll back, pin the head at an older commit, by the beginning of its hash: that is deployed until
somebody unpins the head. Its known results are used again.

    python examples/deploy.py client values head
    python examples/deploy.py client pin head 3f2a1c --reason "the shop is slow"
    python examples/deploy.py client unpin head

With a bot's token in SLACK_TOKEN and `--channel "#shop"`, one message there shows the progress.
Set REGISTRY_USER and REGISTRY_PASSWORD if the registry needs a password, and GIT_TOKEN if the
repository needs a token.
"""

import os
import shlex
from datetime import timedelta
from typing import assert_never

import pycurrent as current
from pycurrent import (
    Active,
    Activity,
    Current,
    Failed,
    Level,
    Ok,
    Output,
    Schedule,
)
from pycurrent.plugins import docker, git, slack

EVERY_FIVE_MINUTES = Schedule(valid_for=timedelta(minutes=5))


def deploy(
    repo: str,
    image: str,
    service: str,
    test: str = "./test.sh",
    branch: str = "main",
    docker_host: str | None = None,
    channel: str | None = None,
) -> Current[None]:
    """Build, test, push and deploy a branch, or the older commit at which its head is pinned.

    Args:
        repo: the address of the repository
        image: the name of the image in its registry, without a tag
        service: the existing service of the swarm
        test: the command in the image that tests it, as in a shell
        branch: the branch to deploy
        docker_host: the address of a manager of the swarm, or one of Docker's contexts
        channel: the channel to tell, in Slack
    """
    swarm, auth = docker.Context(docker_host), registry()
    commit = git.clone(
        repo,
        gref=f"refs/heads/{branch}",
        schedule=EVERY_FIVE_MINUTES,
        token=os.environ.get("GIT_TOKEN"),
        label="head",
    )
    built = swarm.build(commit, timeout=timedelta(hours=1), label="build")
    tested = swarm.run(built, args=shlex.split(test), timeout=timedelta(hours=1), label="test")
    tag = commit.map(lambda commit: f"{image}:{commit.hash[:12]}")
    # One approval is enough: the update asks for it.
    pushed = swarm.push(
        built.gate(on=tested), tag, auth=auth, level=Level.ABOVE_AVERAGE, label="push"
    )
    deployed = swarm.service(service, pushed, auth=auth, label=f"deploy {service}")
    if channel is None:
        return deployed
    text = current.map(
        lambda commit, deployed: news(service, commit, deployed),
        commit.state(hidden=True),
        deployed.state(hidden=True),
    )
    told = slack.update(chat(channel), text, key=f"deploy {service}", label="tell")
    return current.all({"deploy": deployed, "slack": told.ignore()})


def news(service: str, commit: Output[git.Commit], deployed: Output[None]) -> str:
    """The message for Slack."""
    name = f"`{commit.value.hash[:10]}`" if isinstance(commit, Ok) else "the next commit"
    match deployed:
        case Ok():
            return f":rocket: {service} is {name}"
        case Failed(why):
            return f":x: {service} is not {name}: {slack.escape(why)}"
        case Active(Activity.WAITING_FOR_CONFIRMATION):
            return f":raised_hand: {service} will be {name} once somebody approves it"
        case Active():
            return f":hourglass: {name} is on its way to {service}"
        case never:
            assert_never(never)


def registry() -> docker.Auth | None:
    """The account to push with."""
    user, password = os.environ.get("REGISTRY_USER"), os.environ.get("REGISTRY_PASSWORD")
    return docker.Auth(user, password) if user and password else None


def chat(channel: str) -> slack.Channel:
    """The channel, as the bot sees it."""
    api = os.environ.get("SLACK_API", "https://slack.com/api/")
    return slack.Channel(channel, os.environ.get("SLACK_TOKEN", ""), api)


if __name__ == "__main__":
    current.main(deploy)
