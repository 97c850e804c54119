"""Garbage is collected beside an engine, which goes on to explain what it does."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path

import pycurrent as current
from pycurrent.store import StateDir
from pycurrent.store.garbage import GarbageKind
from pycurrent.store.gc import collect_garbage
from pycurrent.term import labels
from pycurrent.testing import Harness, HarnessFactory

SECOND = timedelta(seconds=1)


class Build(current.Builder[str, str]):
    id = "build"

    async def build(self, job: current.Job, key: str) -> str:
        await job.start(level=current.Level.HARMLESS)
        return f"built {key}"


def explained(h: Harness) -> dict[str, tuple[set[tuple[str, str]], list[str]]]:
    """The stages that have used each job, with the labels of the newest use, and its changes."""
    store = h.engine.opened.store
    found = {}
    for job in store.history(limit=1000):
        newest = {use.stage: str(use.labels) for use in reversed(store.uses_of_job(job.job_id))}
        changes = [change.summary for change in store.changes_of_job(job.job_id)]
        found[job.job_id] = set(newest.items()), changes
    return found


def collect(h: Harness, folder: Path) -> set[GarbageKind]:
    """Remove all that is not needed, however young it is; gives the kinds of what was removed."""
    state = StateDir.read(folder)
    report = collect_garbage(state, older_than=timedelta(0), now=h.clock.now() + SECOND)
    return set(+report.explanations)


async def test_an_engine_explains_on_beside_it(harness: HarnessFactory, state_dir: Path) -> None:
    """Each job that is kept has its stages, labels and changes, also a job that comes after."""
    head = current.Var("head", "0")
    team = current.Var("team", "a")

    def pipeline() -> current.Current[None]:
        with labels(commit=head.get(), team=team.get()):
            one = current.component("build", lambda key: Build().get(key), head.get())
        two = current.component("check", lambda key: Build().get(f"check {key}"), head.get())
        return current.all([one, two])

    chosen = random.Random(1)
    removed: set[GarbageKind] = set()
    for _ in range(4):
        async with harness(pipeline) as h:
            await h.settle()
            for _ in range(12):
                match chosen.randrange(3):
                    case 0:
                        head.set(str(chosen.randrange(4)))
                    case 1:
                        team.set(chosen.choice("abc"))
                    case _:
                        h.find("build check").rebuild(by="mia", reason="flaky")
                await h.advance(SECOND)
                before = explained(h)
                removed |= collect(h, state_dir)
                after = explained(h)
                assert after == {job: before[job] for job in after}
                assert all(stages for stages, _ in after.values())
                assert all(changes for _, changes in after.values())
    kinds = {kind.name for kind in removed}
    assert kinds == {"use of a job", "set of labels", "set of changes", "change"}
