"""Deployments on GitHub: what deploying commits to an environment amounts to.

An environment has one deployment of ours at a time that is not over:

- The deployment of a commit is made once, and its state follows from then on. One that was set
  inactive is over: a commit that is deployed again, after another one, gets a new deployment, so
  that GitHub's list of them is the history of the environment.
- The one before stays a success until the next one is, as that is what runs meanwhile. Then it is
  set inactive; one that has not come so far is at once. GitHub's own `auto_inactive` is left off,
  because it spares production environments.

GitHub is asked first, each time, so an engine that is killed anywhere goes on where it was. To ask
little, the newest are looked at, down to one that was a success: all before it are over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from pycurrent.cache import Publisher
from pycurrent.engine import Job
from pycurrent.engine.limits import Limits
from pycurrent.plugins.forge.checks import one_line
from pycurrent.plugins.forge.limit import asking
from pycurrent.plugins.forge.values import Ref, Verdict
from pycurrent.plugins.forge.verdicts import status_of
from pycurrent.plugins.github.deployment_api import (
    DESCRIPTION,
    Deployment,
    DeploymentApi,
    DeploymentStatus,
    Place,
    State,
)
from pycurrent.term import Output

_STATES: Mapping[Verdict, State] = {
    Verdict.PENDING: "queued",
    Verdict.RUNNING: "in_progress",
    Verdict.SUCCESS: "success",
    Verdict.FAILURE: "failure",
    Verdict.ERROR: "error",
    Verdict.CANCELLED: "error",
}
_OVER = ("inactive", "failure", "error")
_GONE = "the pipeline has no such stage any more"
_REPLACED = "another commit was deployed"
_OVERTAKEN = "another commit is to be deployed"


@dataclass(frozen=True, slots=True)
class DeploymentKey:
    """An environment of a repository, which may change its name."""

    site: str
    repository: str
    """Its id."""
    environment: str


@dataclass(frozen=True, slots=True)
class Deployed:
    """The commit that is deployed to an environment, and how that stands."""

    place: Place
    commit: str
    status: DeploymentStatus
    is_production: bool | None = None


@dataclass(slots=True)
class _Found:
    """Our deployments to an environment that are not over."""

    wanted: Deployment | None = None
    """The deployment of the commit that is to be shown."""
    shows: DeploymentStatus | None = None
    """The state of that one."""
    others: list[tuple[Deployment, DeploymentStatus | None]] = field(default_factory=list)
    """The newest first."""


@dataclass(frozen=True, slots=True)
class GithubDeployment(Publisher[DeploymentKey, Deployed, Place]):
    """Shows on GitHub how the deployment of a commit to an environment stands."""

    id: ClassVar[str] = "github-deployment"

    api_at: Callable[[str], DeploymentApi]
    """Gives the calls of the GitHub at an address: any stage's operation retires what has gone."""
    limits: Limits

    def describe(self, key: DeploymentKey, value: Deployed) -> str:
        what = f"{value.commit[:10]} of {value.place} in {key.environment}"
        return f"set the deployment of {what}: {value.status.state}"

    def labels(self, key: DeploymentKey, value: Deployed) -> Mapping[str, str]:
        return {"repo": value.place.path, "commit": value.commit, "environment": key.environment}

    async def publish(self, job: Job, key: DeploymentKey, value: Deployed) -> Place:
        place, status, api = value.place, value.status, self.api_at(key.site)
        with asking(job):
            found = await _look(api, place, key.environment, value.commit)
            wanted = found.wanted
            if wanted is None:
                wanted = await api.make(
                    place, key.environment, value.commit, is_production=value.is_production
                )
                job.log(f"Made the deployment {wanted.id}")
            is_deployed = status.state == "success"
            for other, shows in found.others:
                if is_deployed or shows is None or shows.state != "success":
                    why = _REPLACED if is_deployed else _OVERTAKEN
                    await _end(job, api, place, other, shows, why)
            if found.shows == status:
                job.log(f"{key.site} shows it already")
            else:
                await api.say(place, wanted, status)
                job.log(f"The deployment {wanted.id}: {status.state}: {status.description}")
        return place

    async def retire(self, job: Job, key: DeploymentKey, outcome: Place) -> None:
        """Set inactive what is not over. The commit that was deployed may still run."""
        api = self.api_at(key.site)
        with asking(job):
            found = await _look(api, outcome, key.environment, None)
            for one, shows in found.others:
                await _end(job, api, outcome, one, shows, _GONE)


async def _look(api: DeploymentApi, place: Place, environment: str, commit: str | None) -> _Found:
    found, is_newest = _Found(), True
    async for one in api.ours(place, environment):
        told = await api.statuses(place, one)
        shows = told[0] if told else None
        if found.wanted is None and one.commit == commit and _goes_on(shows, is_newest):
            found.wanted, found.shows = one, shows
        elif shows is None or shows.state not in _OVER:
            found.others.append((one, shows))
        if any(status.state == "success" for status in told):
            break
        is_newest = False
    return found


async def _end(
    job: Job,
    api: DeploymentApi,
    place: Place,
    deployment: Deployment,
    shows: DeploymentStatus | None,
    why: str,
) -> None:
    shown = shows or DeploymentStatus("inactive")
    await api.say(place, deployment, replace(shown, state="inactive", description=why))
    job.log(f"The deployment {deployment.id}: inactive: {why}")


def deployed(
    ref: Ref,
    output: Output[Any],
    *,
    url: str | None,
    log_url: str | None,
    is_production: bool | None,
) -> Deployed:
    """The deployment that GitHub is to show for the output of a current that deploys a ref."""
    status = status_of("", None, output)
    description = "deployed" if status.verdict is Verdict.SUCCESS else status.description
    shown = DeploymentStatus(
        _STATES[status.verdict], one_line(description, DESCRIPTION), url, log_url
    )
    place = Place(ref.repository.account, ref.repository.path)
    return Deployed(place, ref.hash, shown, is_production)


def _goes_on(shows: DeploymentStatus | None, is_newest: bool) -> bool:
    """True if a deployment of the commit is the one to be followed: what runs, or what was tried
    last.
    """
    if shows is not None and shows.state == "success":
        return True
    return is_newest and (shows is None or shows.state != "inactive")
