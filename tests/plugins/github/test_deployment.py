"""Deployments on GitHub: one for each time that a commit is deployed, and how it stands."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

import pycurrent as current
from pycurrent import Active, Activity, Current, Failed, FailureKind, Ok, Output, Var
from pycurrent.plugins.forge import Branch, Ref, Repository
from pycurrent.plugins.github import GitHub
from pycurrent.testing import Harness

from ..forge.model import Reply, hang_up, limited, out_of_order, sha
from .deployments import FakeDeployment
from .fake import FakeGithub

PATH = "octo/web"
RUNNING: Output[int] = Active(Activity.RUNNING)
WAITING: Output[int] = Active(Activity.WAITING_FOR_CONFIRMATION)
BROKEN: Output[int] = Failed("\nno such server\nmore")
DEPLOYED: Output[int] = Ok(1)

Stand = tuple[Branch, Output[int]]


@dataclass
class Town:
    """A GitHub with one repository, and what is deployed of it."""

    github: FakeGithub
    author: GitHub
    repository: Repository
    stand: Var[Stand]
    folder: Path

    def branch(self, number: int) -> Branch:
        return Branch(self.repository, "main", sha(number))

    def deploys(self, number: int, output: Output[int]) -> None:
        """A commit is what is deployed from now on."""
        self.github.repositories[PATH].branches["main"] = sha(number)
        self.github.repositories[PATH].statuses.setdefault(sha(number), [])
        self.stand.set((self.branch(number), output))

    def pipeline(self) -> Current[None]:
        stand = self.stand.get()
        result = stand.map(lambda stand: stand[1]).bind(current.from_output)
        ref: Current[Ref] = stand.map(lambda stand: stand[0])
        return self.author.deployment(ref, "production", result, url="https://octo.example.org")

    def start(self, state: str = "state", **options: Any) -> Harness:
        return Harness(self.pipeline, state_dir=self.folder / state, **options)

    @property
    def shown(self) -> list[tuple[int, str | None]]:
        """The numbers of the commits, and how their deployments stand, the oldest first."""
        return [(int(sha, 16), state) for sha, state in self.github.deployments.of(PATH)]

    async def until(self, h: Harness, *wanted: tuple[int, str]) -> None:
        """Wait until the deployments are these, and the pipeline is done."""
        await h.until(lambda: self.shown == list(wanted) and h.output == Ok(None), timeout=20)


@pytest.fixture
async def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Town]:
    """The first commit is being deployed."""
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    github = FakeGithub()
    await github.start()
    github.add(PATH)
    author = GitHub(github.token, url=github.url)
    home = Repository(github.url, "101", PATH, "", f"{github.url}/{PATH}", "main")
    first = Branch(home, "main", sha(1))
    yield Town(github, author, home, Var("stand", (first, RUNNING)), tmp_path)
    await github.stop()


def made(town: Town) -> list[FakeDeployment]:
    return town.github.deployments.made[PATH]


def posted(town: Town) -> int:
    return sum(request.startswith("POST") for request in town.github.requests)


async def passes(h: Harness, by: timedelta) -> None:
    """Time passes, with time for requests in between."""
    await h.advance(by)
    await h.settle()


# Where all goes well


@pytest.mark.parametrize(
    ("output", "state", "description"),
    [
        (Active(Activity.READY), "queued", "waits"),
        (WAITING, "queued", "waits for confirmation"),
        (RUNNING, "in_progress", "running"),
        (DEPLOYED, "success", "deployed"),
        (BROKEN, "failure", "no such server"),
        (Failed("disk full", kind=FailureKind.INFRA), "error", "disk full"),
        (Failed("by ann", kind=FailureKind.CANCELLED), "error", "by ann"),
        (Failed("x" * 200), "failure", "x" * 139 + "…"),
    ],
)
async def test_a_deployment_says_how_it_stands(
    town: Town, output: Output[int], state: str, description: str
) -> None:
    """In GitHub's words, with where to see it, and nothing merged or asked for."""
    town.deploys(1, output)
    town.github.repositories[PATH].branches["main"] = sha(9)  # It is behind already.
    async with town.start() as h:
        await town.until(h, (1, state))
    (one,) = made(town)
    assert (one.environment, one.is_production, one.payload["made_by"]) == (
        "production",
        True,
        "pycurrent",
    )
    assert one.statuses[-1]["description"] == description
    assert one.statuses[-1]["environment_url"] == "https://octo.example.org"


async def test_one_deployment_follows_its_commit(town: Town) -> None:
    """Each state is said once, also after a restart; it is tried again under the same one."""
    async with town.start() as h:
        await town.until(h, (1, "in_progress"))
        town.deploys(1, BROKEN)
        await town.until(h, (1, "failure"))
        town.deploys(1, RUNNING)
        await town.until(h, (1, "in_progress"))
        town.deploys(1, DEPLOYED)
        await town.until(h, (1, "success"))
    requests = list(town.github.requests)
    async with town.start() as h:
        await h.until(lambda: h.output == Ok(None), timeout=20)
    assert town.github.requests == requests
    said = [status["state"] for status in made(town)[0].statuses]
    assert said == ["in_progress", "failure", "in_progress", "success"]


async def test_what_runs_stays_a_success_until_the_next_does(town: Town) -> None:
    """A commit that fails changes nothing of it; one that is overtaken is inactive at once."""
    town.deploys(1, DEPLOYED)
    async with town.start() as h:
        await town.until(h, (1, "success"))
        town.deploys(2, BROKEN)
        await town.until(h, (1, "success"), (2, "failure"))
        town.deploys(3, WAITING)
        await town.until(h, (1, "success"), (2, "failure"), (3, "queued"))
        town.deploys(2, RUNNING)
        over = ((2, "failure"), (3, "inactive"))
        await town.until(h, (1, "success"), *over, (2, "in_progress"))
        town.deploys(2, DEPLOYED)
        await town.until(h, (1, "inactive"), *over, (2, "success"))


async def test_going_back_is_a_new_deployment(town: Town) -> None:
    """Unless that commit is still what runs."""
    town.deploys(1, DEPLOYED)
    async with town.start() as h:
        await town.until(h, (1, "success"))
        town.deploys(2, WAITING)
        await town.until(h, (1, "success"), (2, "queued"))
        town.deploys(1, DEPLOYED)
        await town.until(h, (1, "success"), (2, "inactive"))
        town.deploys(3, DEPLOYED)
        await town.until(h, (1, "inactive"), (2, "inactive"), (3, "success"))
        town.deploys(1, DEPLOYED)
        await town.until(h, (1, "inactive"), (2, "inactive"), (3, "inactive"), (1, "success"))


async def test_an_environment_that_has_gone_is_inactive(town: Town) -> None:
    """After a restart, too; a failure stays one, and those of other programs are left alone."""
    other = town.github.deployments.add(PATH, sha(1))
    is_there = Var("is_there", value=True)

    def pipeline() -> Current[object]:
        def each(name: Current[str]) -> Current[object]:
            ref: Current[Ref] = town.stand.get().map(lambda stand: stand[0])
            result = town.stand.get().map(lambda stand: stand[1]).bind(current.from_output)
            return town.author.deployment(ref, name, result)

        names = is_there.get().map(lambda there: ["staging"] if there else [])
        kept = town.author.deployment(town.branch(1), "production", current.constant(1))
        return current.all([names.list_map(each), kept])

    async with Harness(pipeline, state_dir=town.folder / "state") as h:
        await h.until(
            lambda: (
                town.shown[1:] == [(1, "in_progress"), (1, "success")]
                or town.shown[1:] == [(1, "success"), (1, "in_progress")]
            ),
            timeout=20,
        )
        await h.settle()
    is_there.set(False)
    async with Harness(pipeline, state_dir=town.folder / "state") as h:
        await h.until(
            lambda: (
                {one.environment: one.state for one in made(town)[1:]}
                == {"staging": "inactive", "production": "success"}
            ),
            timeout=20,
        )
        await h.settle()
    assert other.state is None


async def test_little_is_asked_about_a_long_history(town: Town) -> None:
    """Only down to what was deployed last, however many deployments and pages there are."""
    town.github.page_size = 2
    for number in range(2, 9):
        town.deploys(number, DEPLOYED)
        async with town.start() as h:
            await h.until(lambda: h.output == Ok(None), timeout=20)
    before = len(town.github.requests)
    town.deploys(9, RUNNING)
    async with town.start() as h:
        await h.until(lambda: town.shown[-1] == (9, "in_progress"), timeout=20)
        await h.until(lambda: h.output == Ok(None), timeout=20)
    # The list, the states of the newest, the deployment, its state.
    assert len(town.github.requests) - before == 4


# Where it does not


async def test_one_that_was_made_without_a_record_is_found_again(town: Town) -> None:
    """As by an engine that was killed between the call and the record, at each of the calls."""
    town.deploys(1, DEPLOYED)
    async with town.start() as h:
        await town.until(h, (1, "success"))
    made(town)[0].statuses.clear()
    async with town.start("other") as h:
        await town.until(h, (1, "success"))
    before = posted(town)
    async with town.start("third") as h:
        await town.until(h, (1, "success"))
    assert posted(town) == before


@pytest.mark.parametrize("lost", range(4))
async def test_a_lost_answer_makes_no_second_one(town: Town, lost: int) -> None:
    """Whichever of the answers it is: the call is made again, after a look."""
    seen = [0]

    def mischief(is_done: bool) -> Reply | None:
        seen[0] += is_done
        return hang_up if is_done and seen[0] == lost + 1 else None

    town.github.mischief = mischief
    town.deploys(1, DEPLOYED)
    async with town.start() as h:
        await passes(h, timedelta(minutes=10))
        await town.until(h, (1, "success"))


@pytest.mark.parametrize(
    ("code", "message", "words"),
    [
        (403, "Resource not accessible by integration", "Deployments: read and write"),
        (403, "protected by environment protection rules", r"Settings, Environments"),
        (404, "Not Found", "or does it lack the permission Deployments"),
        (409, "Conflict merging main", "rebuild this stage"),
        (422, "No ref found for: 1", "a forced push may have removed it"),
    ],
)
async def test_a_refusal_says_what_to_do(town: Town, code: int, message: str, words: str) -> None:
    """With GitHub's own words; it is not tried again by itself."""

    def refuse(is_done: bool) -> Reply | None:
        if not town.github.requests[-1].startswith("POST"):
            return None
        return lambda _: web.json_response({"message": message}, status=code)

    town.github.mischief = refuse
    async with town.start() as h:
        await h.until(lambda: isinstance(h.output, Failed), timeout=20)
        assert isinstance(h.output, Failed)
        assert words in h.output.message
        assert f": {message}: " in h.output.message
        assert f"to deploy {sha(1)[:10]} of octo/web to production" in h.output.message
        assert h.output.kind is FailureKind.REAL
    assert posted(town) == 1


async def test_a_permission_that_is_missing_or_a_rule_is_told(town: Town) -> None:
    """After a rebuild it goes on."""
    town.github.deployments.protected.add("production")
    async with town.start() as h:
        await h.until(lambda: isinstance(h.output, Failed), timeout=20)
        town.github.deployments.protected.clear()
        h.find("deployment").rebuild()
        await town.until(h, (1, "in_progress"))
        town.github.deployments.are_allowed = False
        town.deploys(1, DEPLOYED)
        await h.until(lambda: "Deployments: read and write" in str(h.output), timeout=20)


async def test_what_can_not_be_is_refused(town: Town) -> None:
    """A name that is none, an address that is none, a ref that is none."""
    wrong: Any = town.branch(1).hash
    for make in (
        lambda: town.author.deployment(town.branch(1), "", current.constant(1)),
        lambda: town.author.deployment(town.branch(1), "x" * 256, current.constant(1)),
        lambda: town.author.deployment(town.branch(1), "x", current.constant(1), url="octo.org"),
        lambda: town.author.deployment(wrong, "x", current.constant(1)),
    ):
        async with Harness(make, state_dir=town.folder / "state") as h:
            await h.settle()
            assert isinstance(h.output, Failed)
            assert "not" in h.output.message
    assert town.github.requests == []


# Whatever happens


class Life:
    """What is deployed, at random, and what goes wrong with the requests."""

    def __init__(self, town: Town, seed: int) -> None:
        self.town = town
        self.random = random.Random(seed)
        self.wanted: list[int] = [1]
        """The commits that were to be deployed, each time that this has changed."""

    def happen(self) -> None:
        number = self.random.choice([self.wanted[-1], self.random.randrange(1, 5)])
        if number != self.wanted[-1]:
            self.wanted.append(number)
        self.town.deploys(number, self.random.choice([RUNNING, WAITING, BROKEN, DEPLOYED]))

    def trouble(self, is_done: bool) -> Reply | None:
        """A request may be refused, or be done without an answer."""
        if self.random.random() > 0.1:
            return None
        return hang_up if is_done else self.random.choice([out_of_order, hang_up, limited("30")])


@pytest.mark.parametrize("seed", range(8))
async def test_each_deployment_is_made_once(town: Town, seed: int) -> None:
    """Requests are refused, limited, cut off before and after they were done; the engine ends at
    any time, and is started again, also with what it knew before, as if it had been killed.
    """
    life, state = Life(town, seed), town.folder / "state"
    town.github.mischief = life.trouble
    for _ in range(6):
        if state.exists() and life.random.random() < 0.5:
            shutil.copytree(state, town.folder / "before", dirs_exist_ok=True)
        async with town.start() as h:
            for _ in range(3):
                life.happen()
                await asyncio.sleep(0)
                if life.random.random() < 0.7:
                    await passes(h, timedelta(seconds=life.random.randrange(200)))
        if (town.folder / "before").exists():
            shutil.rmtree(state)
            (town.folder / "before").rename(state)
    town.github.mischief = lambda is_done: None
    last = life.wanted[-1]
    town.deploys(last, DEPLOYED)
    async with town.start() as h:
        await passes(h, timedelta(hours=2))
        await h.until(lambda: h.output == Ok(None), timeout=20)
    shown = town.shown
    assert [one for one in shown if one[1] not in ("inactive", "failure")] == [(last, "success")]
    for number in range(1, 5):
        times = sum(commit == number for commit, _ in shown)
        assert times <= life.wanted.count(number)
