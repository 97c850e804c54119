"""The records of which stages used which jobs, with their labels."""

from __future__ import annotations

from collections.abc import Mapping

import pycurrent as current
from pycurrent.store import UseRecord
from pycurrent.term import Failed, labels
from pycurrent.testing import Harness, HarnessFactory


class Build(current.Builder[str, str]):
    id = "build"

    async def build(self, job: current.Job, key: str) -> str:
        await job.start(level=current.Level.HARMLESS)
        return f"built {key}"

    def labels(self, key: str) -> Mapping[str, str]:
        return {"commit": key}


@current.component("build {commit}")
def build(commit: str) -> current.Primitive[str]:
    return Build().get(commit)


@current.component("check {commit}")
def check(commit: str) -> current.Primitive[str]:
    return Build().get(commit)


def uses(h: Harness) -> list[tuple[str, str, dict[str, str]]]:
    """All that are recorded, the oldest first: stage, key of the job, labels."""
    store = h.engine.opened.store
    jobs = {job.job_id: job for job in store.history(limit=1000)}
    rows = [(use, jobs[job_id].key) for job_id in jobs for use in store.uses_of_job(job_id)]
    rows.sort(key=lambda row: (row[0].since, row[0].stage))
    return [(use.stage, key, use.read_labels()) for use, key in rows]


async def test_a_job_is_recorded_with_all_stages_that_use_it(harness: HarnessFactory) -> None:
    """With their paths and labels, the author's own winning over the operation's."""

    def pipeline() -> current.Current[None]:
        with labels(repo="web", commit="head"):
            one = build("1")
        return current.all([one, check("1"), check("2")])

    async with harness(pipeline) as h:
        await h.settle()
        assert sorted(uses(h), key=str) == [
            ("build 1", "1", {"commit": "head", "repo": "web"}),
            ("check 1", "1", {"commit": "1"}),
            ("check 2", "2", {"commit": "2"}),
        ]


async def test_after_a_restart_only_what_is_new_is_recorded(harness: HarnessFactory) -> None:
    """Known results too, where a stage did not use them before, or has other labels now."""

    def first() -> current.Current[None]:
        with labels(team="a"):
            return current.all([build("1"), build("2")])

    def second() -> current.Current[None]:
        with labels(team="a"):
            one = build("1")
        with labels(team="b"):
            return current.all([one, build("2"), check("1")])

    async with harness(first) as h:
        await h.settle()
        before = uses(h)
    assert len(before) == 2
    for _ in range(2):
        async with harness(first) as h:
            await h.settle()
        # It is recorded at the end of the engine at the latest.
        async with harness(first) as h:
            assert uses(h) == before
    async with harness(second) as h:
        await h.settle()
    async with harness(second) as h:
        found = uses(h)
    assert [use for use in found if use not in before] == [
        ("build 2", "2", {"commit": "2", "team": "b"}),
        ("check 1", "1", {"commit": "1", "team": "b"}),
    ]


async def test_a_stage_that_comes_back_to_a_known_result_uses_its_job_anew(
    harness: HarnessFactory,
) -> None:
    """So the last use is always the present one."""
    head = current.Var("head", "1")

    async with harness(lambda: build(head.get())) as h:
        for commit in ("1", "2", "1"):
            head.set(commit)
            await h.settle()
        store = h.engine.opened.store
        jobs = {job.job_id: job.key for job in store.history()}
        found = [jobs[use.job_id] for use in store.uses_by_stage("build")]
    assert found == ["1", "2", "1"]


async def test_a_label_that_changes_is_recorded_with_the_same_job(
    harness: HarnessFactory,
) -> None:
    """A commit that is on another branch now, say."""
    branch = current.Var("branch", "dev")
    name = branch.get()

    def pipeline() -> current.Current[str]:
        with labels(branch=name):
            return build("1")

    async with harness(pipeline) as h:
        await h.settle()
        branch.set("main")
        await h.settle()
        store = h.engine.opened.store
        found: list[UseRecord] = store.uses_by_stage("build 1")
    assert [use.read_labels() for use in found] == [
        {"branch": "main", "commit": "1"},
        {"branch": "dev", "commit": "1"},
    ]
    assert len({use.job_id for use in found}) == 1


async def test_a_rebuild_is_a_job_of_the_same_stages(harness: HarnessFactory) -> None:
    """Each of them uses the new one."""
    async with harness(lambda: current.all([build("1"), check("1")])) as h:
        await h.settle()
        h.find("build 1").rebuild()
        await h.settle()
        store = h.engine.opened.store
        for stage in ("build 1", "check 1"):
            assert len({use.job_id for use in store.uses_by_stage(stage)}) == 2


class Bad(current.Builder[str, str]):
    id = "bad"

    async def build(self, job: current.Job, key: str) -> str:
        return key

    def labels(self, key: str) -> Mapping[str, str]:
        return {"number": 1}  # type: ignore[dict-item]


async def test_labels_of_an_operation_that_are_not_texts_fail_its_stage(
    harness: HarnessFactory,
) -> None:
    """The message names the operation; no job is made."""
    async with harness(lambda: current.component("bad", lambda: Bad().get("1"))) as h:
        await h.settle()
        output = h.output
        assert isinstance(output, Failed)
        assert "operation 'bad': labels() gives 'number': 1, which are not two texts" in str(output)
        assert not h.jobs
