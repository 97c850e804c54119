"""Test every branch and pull request of a forge, and show there how each of them stands.

    export FORGE_URL=https://git.example.org FORGE_TOKEN=... FORGE_WEBHOOK_SECRET=...
    python examples/forge_ci.py --forge forgejo --ci https://ci.example.org

GitHub takes an App, by GITHUB_APP_ID and GITHUB_APP_KEY, a file: it has a check for each of ours.

The file `ci.json` of a commit names its checks: {"tests": ["make", "test"], "lint": ["ruff"]}
"""

import json
import os
from typing import Literal
from urllib.parse import quote

import pycurrent as current
from pycurrent import Current, Output, Pool, Secret
from pycurrent.plugins import command, forgejo, github, gitlab
from pycurrent.plugins.forge import Forge, Ref, Repository
from pycurrent.web import WebSettings

URL = os.environ.get("FORGE_URL", "https://git.example.org")
TOKEN, HOOK = Secret.from_env("FORGE_TOKEN"), Secret.from_env("FORGE_WEBHOOK_SECRET")
APP_ID, APP_KEY = os.environ.get("GITHUB_APP_ID", "0"), os.environ.get("GITHUB_APP_KEY", "app.pem")
FORGES: dict[str, Forge] = {
    "forgejo": forgejo.Forgejo(URL, token=TOKEN, webhook_secret=HOOK),
    "github": github.App(APP_ID, APP_KEY, webhook_secret=HOOK),
    "gitlab": gitlab.GitLab(URL, token=TOKEN, webhook_secret=HOOK),
}
CHECKS = Pool("checks", 4)


def checks(ci_json: str) -> list[tuple[str, list[str]]]:
    return sorted(json.loads(ci_json).items())


def report(results: dict[str, Output[None]]) -> str:
    lines = [f"| {name} | {type(output).__name__} |" for name, output in results.items()]
    return "\n".join(["| check | |", "|---|---|", *lines])


def pipeline(
    forge: Literal["forgejo", "github", "gitlab"] = "forgejo", ci: str = "https://ci.example.org"
) -> Current[object]:
    """Test the branches and pull requests of all repositories that have a ci.json."""
    site = FORGES[forge]

    def test(ref: Current[Ref]) -> Current[object]:
        commit = site.fetch(ref)
        listed = command.output(commit, ["cat", "ci.json"], label="ci.json").map(checks)
        link = ref.map(lambda ref: f"{ci}/jobs?label={quote(f'commit={ref.hash}')}")

        def run(check: Current[tuple[str, list[str]]]) -> Current[tuple[str, Output[None]]]:
            name, argv = check.map(lambda check: check[0]), check.map(lambda check: check[1])
            result = command.run(commit, argv, pool=CHECKS, label="check")
            told = current.pair(name, result.state(hidden=True))
            return (
                told.gate(site.check(ref, name, result)) if isinstance(site, github.App) else told
            )

        results = listed.list_map(run, key=lambda check: check[0], label="checks").map(dict)
        all_ok = results.bind(
            lambda known: current.all({n: current.from_output(o) for n, o in known.items()})
        )
        status = site.status(ref, "ci/checks", all_ok, url=link)
        return current.all([status, site.comment(ref, "checks", results.map(report)).ignore()])

    def repository(repository: Current[Repository]) -> Current[object]:
        return site.each_ref(repository, test)

    return site.each_repository(repository, where=lambda one: not one.is_archived)


if __name__ == "__main__":
    current.main(
        pipeline,
        site=lambda: WebSettings(routes=[forge.webhook() for forge in FORGES.values()]),
    )
