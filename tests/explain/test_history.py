"""The history of an engine: entries with the stages that used the jobs, and why they were run."""

from datetime import timedelta
from pathlib import Path

import pycurrent as current
from pycurrent import Current, Job, Var
from pycurrent.cache.cause import CAUSES, Asked, NeverBuilt, cause_name
from pycurrent.store import JobEnd
from pycurrent.testing import Harness


@current.builder("note", level=current.Level.HARMLESS)
async def note(job: Job, key: str) -> str:
    if key == "bad":
        raise current.Failure("no network", kind=current.FailureKind.INFRA)
    return key


def pipeline(repo: Var[str]) -> Current[object]:
    with current.labels(repo="web", branch=repo.get()):
        web = note("web")
    with current.labels(repo="api"):
        return current.all([web, note("bad")])


async def test_an_engine_tells_its_history(tmp_path: Path) -> None:
    """By stage, label, result and time; the record of one job has all that is known of it."""
    branch = Var("branch", "main")
    async with Harness(lambda: pipeline(branch), state_dir=tmp_path) as h:
        await h.settle()
        web, bad = h.find("note web"), h.find("note bad")
        web.rebuild(by="ann", reason="it was slow")
        await h.settle()
        await h.advance(timedelta(seconds=5))
        engine = h.engine
        rebuilt = engine.history(op="note", key="web")[0]
        assert [entry.job_id for entry in engine.history(ok=False)] == [bad.id]
        assert [entry.build for entry in engine.history(labels={"repo": "w*"})] == [1, 0]
        assert [entry.build for entry in engine.history(labels={"branch": "main"})] == [1, 0]
        assert engine.history(path="nowhere") == []
        assert len(engine.history(path="note*", limit=2)) == 2
        assert engine.history(since=h.clock.now()) == []
        assert rebuilt.cause == Asked("ann", "it was slow")
        assert (rebuilt.cause_name, rebuilt.end) == ("asked", JobEnd.OK)
        assert rebuilt.because == "ann asked for a rebuild: it was slow"
        assert rebuilt.paths == ("note web",)
        failed = engine.job(bad.id)
        assert failed is not None
        assert (failed.failure, failed.kind) == ("no network", current.FailureKind.INFRA)
        assert (failed.cause, dict(failed.labels)) == (NeverBuilt(), {"repo": "api"})
        assert engine.job("2026-01-01/000000-note-000000") is None
        branch.set("dev")
        await h.settle()
        assert [entry.build for entry in engine.history(labels={"branch": "dev"})] == [1]
        assert (web.paths, dict(web.labels)) == (("note web",), {"repo": "web", "branch": "main"})


def test_each_cause_has_a_name() -> None:
    """By which the history is asked for it."""
    assert CAUSES["never-built"] is NeverBuilt
    assert cause_name(Asked()) == "asked"
    assert len(CAUSES) == 13
