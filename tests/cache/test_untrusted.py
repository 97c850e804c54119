"""Untrusted work: what it shares with others, and what it waits for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

import pycurrent as current
from pycurrent.engine import Config, Job, Level
from pycurrent.errors import UsageError, WrongKind
from pycurrent.explain.reasons import WaitsForApproval, WaitsForConfirmation
from pycurrent.term import TRUSTED, Current, Failed, Ok, Trust, Untrusted, Var, all, untrusted
from pycurrent.testing import Harness

A, B = "a" * 40, "b" * 40
FORK = Untrusted("octo/web", A)
LATER = Untrusted("octo/web", B)
OTHER = Untrusted("mona/web", A)


class Shop:
    """A pipeline of the stages that a test names: each makes the key `lib` for somebody."""

    def __init__(self, **stages: Trust) -> None:
        self.stages: dict[str, Var[Trust]] = {}
        for name, trust in stages.items():
            self.stages[name] = Var(f"trust of {name}", trust)
        self.made: list[str] = []
        self.level = Level.AVERAGE

    def pipeline(self) -> Current[Any]:
        found = {}
        for name, trust in self.stages.items():
            with untrusted(trust.get()):
                found[name] = current.component("build", Build(self).get, "lib", name=name)
        return all(found)

    @asynccontextmanager
    async def run(self, state: Path, confirm: Level | None = None) -> AsyncIterator[Harness]:
        async with Harness(self.pipeline, state_dir=state, config=Config(confirm=confirm)) as h:
            await h.settle()
            yield h


class Build(current.Builder[str, str]):
    """Gives a number for each run, so one sees whose result it is."""

    id = "build"

    def __init__(self, shop: Shop) -> None:
        self.shop = shop

    async def build(self, job: Job, key: str) -> str:
        await job.start(level=self.shop.level)
        self.shop.made.append(job.id)
        return f"run {len(self.shop.made)}"


def job_of(h: Harness, name: str) -> Any:
    """The job of a stage."""
    (found,) = [job for job in h.jobs.values() if f"build ({name})" in job.paths]
    return found


async def test_nobody_gets_results_of_another_trust(tmp_path: Path) -> None:
    """Trusted work and that of two sources each make the same key, and know it after a restart."""
    stages: dict[str, Trust] = {"ours": TRUSTED, "fork": FORK, "other": OTHER}
    shop = Shop(**stages)
    async with shop.run(tmp_path) as h:
        assert len(shop.made) == 1
        h.engine.approve_commit(A)
        await h.settle()
        assert len(h.jobs) == len(shop.made) == 3
        assert isinstance(h.output, Ok)
    again = Shop(**stages)
    async with again.run(tmp_path) as h:
        assert again.made == []
        assert len(h.jobs) == 3
        assert isinstance(h.output, Ok)


async def test_stages_of_one_source_share_results(tmp_path: Path) -> None:
    """Also those of different commits: it is one stranger's code either way."""
    shop = Shop(fork=FORK, later=LATER)
    async with shop.run(tmp_path) as h:
        assert len(h.jobs) == 1
        h.engine.approve_commit(B)
        await h.settle()
        assert len(shop.made) == 1
        assert isinstance(h.output, Ok)


async def test_a_stage_that_becomes_trusted_makes_its_own_result(tmp_path: Path) -> None:
    """And the other way round; what it made before is known when it is of that trust again."""
    shop = Shop(one=FORK)
    async with shop.run(tmp_path) as h:
        h.engine.approve_commit(A)
        await h.settle()
        of_fork = list(h.jobs)
        shop.stages["one"].set(TRUSTED)
        await h.settle()
        assert len(shop.made) == 2
        assert of_fork != list(h.jobs)
        shop.stages["one"].set(FORK)
        await h.settle()
        assert of_fork == list(h.jobs)
        assert len(shop.made) == 2


# Approval


async def test_untrusted_work_waits_for_the_approval_of_its_commit(tmp_path: Path) -> None:
    """All that shows the stage says so; the approval of another commit does nothing."""
    shop = Shop(fork=FORK)
    async with shop.run(tmp_path) as h:
        job = job_of(h, "fork")
        assert h.stats.waiting_for_confirmation == 1
        (reason, *_) = h.engine.why("build (fork)").reasons
        assert reason == WaitsForApproval(job.id, A, "octo/web")
        assert f"approves untrusted commit {A} of octo/web" in str(h.engine.why("build (fork)"))
        (node,) = [node for node in h.graph().nodes if node.path == "build (fork)"]
        assert node.note == "untrusted commit aaaaaaaaaaaa of octo/web waits for approval"
        h.engine.approve_commit(B)
        await h.settle()
        assert shop.made == []
        assert "Waiting for approval: untrusted commit aaaaaaaaaaaa of octo/web" in job.log_text()
        h.engine.approve_commit(A, by="ann", reason="looks fine")
        await h.settle()
        assert isinstance(h.output, Ok)
        assert [approval.commit for approval in h.engine.approvals] == [A, B]
        (act,) = h.engine.audit(what="approve commit", who="ann")
        assert (act.who, act.subject, act.reason) == ("ann", A, "looks fine")


async def test_an_approval_counts_after_a_restart(tmp_path: Path) -> None:
    """But not for the next commit."""
    shop = Shop(fork=FORK)
    async with shop.run(tmp_path) as h:
        h.engine.approve_commit(A)
    async with shop.run(tmp_path) as h:
        assert len(shop.made) == 1
    shop = Shop(fork=Untrusted("mona/web", B))
    async with shop.run(tmp_path) as h:
        assert shop.made == []
        assert isinstance(h.engine.why("build (fork)").reasons[0], WaitsForApproval)


async def test_the_approval_of_a_job_is_not_that_of_its_commit(tmp_path: Path) -> None:
    """A job that is approved waits still, and starts once its commit is."""
    shop = Shop(fork=FORK)
    async with shop.run(tmp_path, confirm=Level.HARMLESS) as h:
        job_of(h, "fork").approve()
        await h.settle()
        assert shop.made == []
        h.engine.approve_commit(A)
        await h.settle()
        assert len(shop.made) == 1


async def test_work_that_needs_no_approval_begins_at_once(tmp_path: Path) -> None:
    """Where the author of the pipeline says so."""
    shop = Shop(fork=Untrusted("octo/web", A, approval=False))
    async with shop.run(tmp_path) as h:
        assert isinstance(h.output, Ok)


async def test_what_others_want_with_an_approval_waits_no_longer(tmp_path: Path) -> None:
    """A stage of another commit of the same source comes, which is approved."""
    shop = Shop(fork=FORK, other=OTHER)
    async with shop.run(tmp_path) as h:
        h.engine.approve_commit(B)
        assert shop.made == []
        shop.stages["other"].set(LATER)
        await h.settle()
        assert len(shop.made) == 1
        assert isinstance(h.output, Ok)


async def test_an_approval_can_be_taken_back(tmp_path: Path) -> None:
    """What begins after that waits; there has to be one to take back."""
    shop = Shop(fork=OTHER)
    async with shop.run(tmp_path) as h:
        h.engine.approve_commit(B)
        h.engine.withdraw_commit(B, by="ann")
        shop.stages["fork"].set(LATER)
        await h.settle()
        assert shop.made == []
        with pytest.raises(UsageError, match="is not approved"):
            h.engine.withdraw_commit(B)


@pytest.mark.parametrize("text", ["", "main", A[:39], A[:12], A + "0", "g" * 40])
async def test_only_the_whole_hash_of_a_commit_can_be_approved(tmp_path: Path, text: str) -> None:
    """The beginning of a hash may be that of another commit, too."""
    async with Shop(fork=FORK).run(tmp_path) as h:
        with pytest.raises(UsageError, match="is not the whole hash of a commit"):
            h.engine.approve_commit(text)
        assert h.engine.approvals == ()


# The level


async def test_untrusted_work_asks_for_confirmation_one_level_higher(tmp_path: Path) -> None:
    """Average work of others asks where only work above average does; it is recorded as it is."""
    shop = Shop(ours=TRUSTED, fork=FORK)
    async with shop.run(tmp_path, confirm=Level.ABOVE_AVERAGE) as h:
        assert len(shop.made) == 1
        h.engine.approve_commit(A)
        await h.settle()
        assert len(shop.made) == 1
        job = job_of(h, "fork")
        (reason, *_) = h.engine.why("build (fork)").reasons
        assert reason == WaitsForConfirmation(job.id, "above-average", "above-average")
        assert "Waiting for confirmation: the level is above-average" in job.log_text()
        record = h.engine.opened.store.job(job.id)
        assert record is not None
        assert record.level == "average"
        job.approve()
        await h.settle()
        assert len(shop.made) == 2


async def test_the_highest_level_stays(tmp_path: Path) -> None:
    """There is none above it."""
    shop = Shop(fork=Untrusted("octo/web", A, approval=False))
    shop.level = Level.DANGEROUS
    async with shop.run(tmp_path, confirm=Level.DANGEROUS) as h:
        assert shop.made == []
        h.engine.config.confirm = None
        await h.settle()
        assert len(shop.made) == 1


# What is set


class Deploy(current.Publisher[str, str, None]):
    id = "deploy"

    async def publish(self, job: Job, key: str, value: str) -> None:
        await job.start(level=Level.DANGEROUS)
        job.secret("the secret of the forge")


class Report(Deploy):
    id = "report"
    for_untrusted: ClassVar[bool] = True


def setting(operation: Deploy) -> Current[Any]:
    with untrusted(FORK):
        return current.component("set", operation.set, "web", "1")


async def test_untrusted_work_can_not_set_anything(tmp_path: Path) -> None:
    """What is set is there once, for all who trust it."""
    async with Harness(lambda: setting(Deploy()), state_dir=tmp_path) as h:
        await h.settle()
        assert isinstance(h.output, Failed)
        assert h.output.message.startswith("untrusted work can't set anything: deploy web 1 is for")
        assert h.jobs == {}


async def test_what_is_made_for_untrusted_work_needs_no_approval(tmp_path: Path) -> None:
    """An operation that runs none of its code reports on it, with secrets, at its own level."""
    config = Config(confirm=None)
    async with Harness(lambda: setting(Report()), state_dir=tmp_path, config=config) as h:
        await h.settle()
        assert h.output == Ok(None)


async def test_functions_are_made_for_untrusted_work_by_an_argument(tmp_path: Path) -> None:
    """As operations are in their class: they set something, have secrets, and wait for nobody."""

    @current.publisher("report", level=Level.HARMLESS, for_untrusted=True)
    async def report(job: Job, key: str, *, value: str) -> str:
        return job.secret(f"the token for {key}") and value

    @current.builder("look", level=Level.HARMLESS, for_untrusted=True)
    async def look(job: Job, key: str) -> str:
        return job.secret("the token") and key

    def pipeline() -> Current[Any]:
        with untrusted(FORK):
            return current.pair(report("web", value="ok"), look("web"))

    async with Harness(pipeline, state_dir=tmp_path) as h:
        await h.settle()
        assert h.output == Ok(("ok", "web"))


def test_for_untrusted_is_a_truth() -> None:
    """Anything else is a mistake, which is named."""
    with pytest.raises(WrongKind, match="builder 'look': for_untrusted= takes True or False"):
        current.builder("look", for_untrusted="yes")  # type: ignore[arg-type]


# Secrets


class Asks(current.Builder[str, str]):
    id = "asks"

    async def build(self, job: Job, key: str) -> str:
        assert not job.is_trusted
        assert job.needs_sandbox
        await job.start(level=Level.HARMLESS)
        return job.secret("hunter2")


async def test_untrusted_work_gets_no_secrets(tmp_path: Path) -> None:
    """To ask for one is a failure that says so."""

    def pipeline() -> Current[Any]:
        with untrusted(Untrusted("octo/web", A, approval=False)):
            return current.component("asks", Asks().get, "it")

    async with Harness(pipeline, state_dir=tmp_path) as h:
        await h.settle()
        assert h.output == Failed(
            "untrusted work gets no secrets (untrusted commit aaaaaaaaaaaa of octo/web)"
        )
