"""GitHub in a pipeline."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Unpack

from pycurrent.cache import Retry
from pycurrent.engine import Clock, Level, Secret
from pycurrent.errors import UsageError, WrongKind
from pycurrent.plugins.forge import Forge, Ref
from pycurrent.plugins.forge.api import ForgeApi
from pycurrent.plugins.forge.checks import check_token, checked_site
from pycurrent.plugins.forge.links import ForgeLink
from pycurrent.plugins.github.api import GithubApi, api_at
from pycurrent.plugins.github.check_stages import CheckStages
from pycurrent.plugins.github.client import SITE
from pycurrent.plugins.github.deployment import DeploymentKey, GithubDeployment, deployed
from pycurrent.plugins.github.deployment_api import DeploymentApi
from pycurrent.plugins.github.identity import AppIdentity, Identity, TokenIdentity
from pycurrent.plugins.options import Options, limits_of, operation_component, with_options
from pycurrent.term import Current, Ok, Output, Primitive, shown
from pycurrent.term import all as all_of

_LONGEST_NAME = 255
"""Characters of an environment's name."""


class _GitHub(Forge):
    kind: ClassVar[str] = "github"

    def __init__(self, url: str, identity: Identity, webhook_secret: Secret | str | None) -> None:
        self.site = checked_site(url, "GitHub", "https://github.example.org")
        self._identity = identity
        self._webhook_secret = webhook_secret

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.site!r})"

    def connect(self, clock: Clock) -> ForgeApi:
        return GithubApi(self.site, self._identity, self._webhook_secret, clock)

    @with_options(level=Level.MOSTLY_HARMLESS, retry=Retry(infra=6, timeout=2))
    def deployment(
        self,
        ref: Ref | Current[Ref],
        environment: str | Current[str],
        result: Current[Any],
        *,
        url: str | Current[str] | None = None,
        log_url: str | Current[str] | None = None,
        production: bool | None = None,
        **options: Unpack[Options],
    ) -> Current[None]:
        """Show on GitHub, under an environment, what deploying a ref's commit amounts to.

        The deployment is queued, in progress, a success, a failure, or an error if that is the
        infrastructure's; it is made once, whatever is killed meanwhile. The one before becomes
        inactive as soon as the new one is a success. Once the stage is gone from the pipeline,
        the environment's is set inactive. `url` is where what was deployed can be seen, `log_url`
        where to read about the deployment; GitHub takes an environment that is called `production`
        for one unless `production` says otherwise. Needs the permission Deployments (read and
        write). An environment of a repository is shown by one stage.
        """
        limits = limits_of(options)

        def on_values(
            ref: Ref, environment: str, url: str | None, log_url: str | None, output: Output[Any]
        ) -> Primitive[None]:
            if not isinstance(ref, Ref):
                raise WrongKind(f"github.deployment takes a ref of a repository, not {shown(ref)}")
            key = DeploymentKey(self.site, ref.repository.id, _checked_name(environment))
            value = deployed(
                ref,
                output,
                url=_checked_url(url, "url"),
                log_url=_checked_url(log_url, "log_url"),
                is_production=production,
            )
            return self._of_engine(
                lambda link: (
                    GithubDeployment(partial(_deployments_at, link), limits)
                    .set(key, value, retry=options["retry"])
                    .map_output(_without_value)
                )
            )

        output = result.state(hidden=True)
        default = "deployment of {ref} to {environment}"
        given = (ref, environment, url, log_url, output)
        return operation_component(options["label"], default, on_values, *given)


class App(_GitHub):
    """GitHub, seen as a GitHub App: its repositories are those where the App is installed.

    `id` is the App's id or client id, and `key_file` the private key that GitHub has made for it, a
    file in PEM, or a `Secret`. It needs the permissions Contents (read), Pull requests (read and
    write), Commit statuses (read and write) and Metadata (read); for `check` Checks (read and
    write), and for `deployment` Deployments (read and write). `webhook_secret` is that of its
    webhook. `url` is the address of a GitHub Enterprise Server. Raises `UsageError` for a malformed
    address or an empty id; a key that is none is a failure of what it is needed for.
    """

    def __init__(
        self,
        id: int | str,
        key_file: Path | str | Secret,
        *,
        webhook_secret: Secret | str | None = None,
        url: str = SITE,
    ) -> None:
        if not id or not isinstance(id, int | str):
            raise WrongKind(f"github.App takes the App's id, not {shown(id)}")
        if not isinstance(key_file, str | os.PathLike | Secret):
            raise WrongKind(
                f"github.App takes the path of its key, or a Secret, not {shown(key_file)}"
            )
        key = key_file if isinstance(key_file, Secret) else Path(key_file).absolute()
        super().__init__(url, AppIdentity(str(id), key), webhook_secret)

    @with_options(level=Level.MOSTLY_HARMLESS, retry=Retry(infra=6, timeout=2))
    def check(
        self,
        ref: Ref | Current[Ref],
        name: str | Current[str],
        result: Current[Any] | Mapping[str, Current[Any]],
        *,
        each: bool = False,
        url: str | Current[str] | None = None,
        **options: Unpack[Options],
    ) -> Current[None]:
        """Show on GitHub, as a check of the ref's commit, what a current amounts to; or several
        currents by their names.

        For several there is a summary, and for each that has failed a check `name / its name`,
        which stays and follows it from then on; with `each` there is no summary, but a check for
        each. A check says why a job was run, what its log says, since when it has been failing and
        how to do the same by hand; log rules with the groups `file` and `line` annotate lines. It
        leads to `url`, by default to the page of its stage. It is made once, whatever is killed
        meanwhile, and cancelled once its stage is gone. Raises `UsageError` if there is nothing to
        show. Needs the permission Checks (read and write).
        """
        show = CheckStages(self, ref, url, options)
        if not isinstance(result, Mapping):
            return show.one(name, result)
        if not isinstance(name, str):
            raise WrongKind(
                f"github.App.check: several results take a plain name, not {shown(name)}"
            )
        if not result:
            raise UsageError(f"github.App.check: {name!r} has no results to show")
        parts = [
            show.one(f"{name} / {key}", part, only_failed=not each) for key, part in result.items()
        ]
        return all_of(parts if each else [show.summary(name, result), *parts])


class GitHub(_GitHub):
    """GitHub, seen with a personal access token: its repositories are those of the token's user.

    A fine-grained token needs the permissions that `github.App` names, a classic one the scope
    `repo`. `webhook_secret` is that of the repositories' webhooks. Both are best given as a
    `Secret`. `url` is the address of a GitHub Enterprise Server. Raises `UsageError` for a
    malformed address or an empty token.
    """

    def __init__(
        self,
        token: Secret | str,
        *,
        webhook_secret: Secret | str | None = None,
        url: str = SITE,
    ) -> None:
        check_token(token, url)
        super().__init__(url, TokenIdentity(token), webhook_secret)


def _deployments_at(link: ForgeLink, site: str) -> DeploymentApi:
    return api_at(link, site).deployments


def _checked_name(environment: str) -> str:
    if not isinstance(environment, str) or not 0 < len(environment) <= _LONGEST_NAME:
        raise WrongKind(
            f"{shown(environment)} is not the name of an environment: a text of 1 to"
            f" {_LONGEST_NAME} characters, such as 'production'"
        )
    return environment


def _checked_url(url: str | None, name: str) -> str | None:
    is_one = isinstance(url, str) and url.startswith(("https://", "http://"))
    if url is not None and not is_one:
        raise WrongKind(f"{name}= takes an address that begins with https://, not {shown(url)}")
    return url


def _without_value(output: Output[Any]) -> Output[None]:
    return Ok(None) if isinstance(output, Ok) else output
