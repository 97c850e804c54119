"""The jobs that have not ended, found by the stages that use them, as those that have."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pycurrent as current
from pycurrent import Current, Var
from pycurrent.service import Action, JobSelection, NoSuchJob, Refused, Service, Would
from pycurrent.store import HistoryFilter, LabelFilter

from ..effort import examples
from .live import Doors, Seen, seen

STAGES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "one": ("a", {"repo": "web", "branch": "main"}),
    "two": ("a", {"repo": "api"}),
    "three": ("b", {"repo": "web", "branch": "dev"}),
    "four": ("c", {}),
}
"""The key and the labels of each stage: two of them share a job."""
CONDITIONS = ["repo=web", "repo!=web", "repo=*", "repo!=*", "branch=d*", "branch!=main", "x=y"]


def pipeline(doors: Doors) -> Current[object]:
    built = []
    for name, (key, labels) in STAGES.items():
        with current.labels(**labels) if labels else nullcontext():
            built.append(current.constant([name]).list_map(_door(doors, key)))
    return current.all(built)


def _door(doors: Doors, key: str) -> Callable[[Current[str]], Current[str]]:
    return lambda _: doors.stage(key)


async def keys(service: Service, wanted: JobSelection) -> list[str]:
    """The keys of the jobs that pass."""
    return [service.jobs.description(job)[-1] for job in await service.select_jobs(wanted)]


def selection(*conditions: str, path: str | None = None) -> JobSelection:
    return JobSelection(path, tuple([LabelFilter.parse(condition) for condition in conditions]))


@settings(max_examples=examples(10), deadline=None)
@given(
    st.lists(st.sampled_from(CONDITIONS), max_size=3),
    st.sampled_from([None, "one/door a", "*/door a", "t*", "nowhere"]),
)
async def test_living_jobs_are_found_as_those_that_have_ended(
    tmp_path_factory: pytest.TempPathFactory, conditions: list[str], path: str | None
) -> None:
    """By the same conditions the same jobs, before their ends and after."""
    doors = Doors()
    async with seen(lambda: pipeline(doors), tmp_path_factory.mktemp("state")) as s:
        wanted = selection(*conditions, path=path)
        living = await keys(s.service, wanted)
        for key in "abc":
            doors.open(key)
        await s.settle()
        assert await s.service.select_jobs(wanted) == []
        ended = await s.service.archive.page(
            HistoryFilter(path=wanted.path, labels=wanted.labels), limit=10
        )
        assert sorted(living) == sorted(entry.key for entry in ended.entries)


async def test_a_job_is_found_by_a_stage_that_has_gone(tmp_path: Path) -> None:
    """What nobody needs any more runs on, and is found by what it was begun for."""
    doors, repos = Doors(), Var("repos", ["web"])

    def built(repo: Current[str]) -> Current[object]:
        with current.labels(repo=repo):
            return repo.bind(doors.stage, name="build")

    async with seen(lambda: repos.get().list_map(built), tmp_path) as s:
        assert await keys(s.service, selection("repo=web")) == ["b"]
        repos.set([])
        await s.settle()
        assert await keys(s.service, selection("repo=web")) == ["b"]
        assert await keys(s.service, selection("repo!=web")) == []


async def test_a_page_has_only_those_that_were_asked_for(tmp_path: Path) -> None:
    """It says how many they are, and where the next page begins, also behind one that has ended."""
    doors = Doors()
    async with seen(lambda: pipeline(doors), tmp_path) as s:
        a, b = await s.service.select_jobs(selection("repo=web"))
        jobs = s.service.jobs
        page = await jobs.page(limit=1, among={a, b})
        assert ([job.id for job in page.jobs], page.next, page.total) == ([a], a, 2)
        doors.open("a")
        await s.settle()
        page = await jobs.page(
            limit=1, after=a, among=set(await s.service.select_jobs(selection("*=*")))
        )
        assert (page.jobs, page.total) == ((), 0)
        page = await jobs.page(limit=9, after=a, among={b})
        assert ([job.id for job in page.jobs], page.next) == ([b], None)


async def test_what_an_act_would_come_to(tmp_path: Path) -> None:
    """Nothing is done; what can't be done is said with the reason."""
    doors = Doors()
    async with seen(lambda: pipeline(doors), tmp_path) as s:
        a, b = s.job("door a"), s.job("door b")
        doors.open("a")
        await s.settle()
        jobs, none = s.service.jobs, "2026-11-22/084703-door-1a2b3c"
        assert await jobs.would(Action.CANCEL, [a, b, none]) == {
            a: Refused("it has ended: ok"),
            b: Would("door b"),
            none: Refused(str(NoSuchJob(none))),
        }
        assert await jobs.would(Action.REBUILD, [a, b]) == {
            a: Would("door a"),
            b: Refused("it has not ended"),
        }
        assert jobs.is_active(b)
        assert not jobs.is_active(a)
        await _cancelled(s, b)
        assert await jobs.would(Action.CANCEL, [b]) == {b: Refused("it has ended: cancelled")}


async def _cancelled(s: Seen, job: str) -> None:
    await s.service.jobs.cancel_many([job], by="ann", reason="it hangs")
    await s.settle()
    (act,) = s.harness.engine.opened.store.audit(what="cancel")
    assert (act.who, act.subject, act.reason) == ("ann", job, "it hangs")
