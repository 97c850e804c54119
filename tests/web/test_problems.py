"""What is wrong with the engine itself is told wherever people look."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

from pycurrent.engine import Effect, Problem
from pycurrent.store import StoreFull

from .api import Tasks, api_of

RECORDED = 'pycurrent_problems{effect="held"} 0.0'
HELD = 'pycurrent_problems{effect="held"} 1.0'


async def test_an_engine_that_cant_record_is_not_ready(tmp_path: Path) -> None:
    """Whoever asks `/readyz` hears why, at an engine at rest too; the rest tells what to do."""
    state = tmp_path / "state"
    async with api_of(lambda: Tasks().stage("quick"), state) as api:
        assert (await api.get("/overview"))["problems"] == []
        assert RECORDED in (await api.client.get("/metrics")).text
        (state / "db").rename(state / "elsewhere")
        answer = await api.client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["detail"] == (
            "the engine begins nothing new: the database was moved or removed"
        )
        assert (await api.client.get("/healthz")).status_code == 200
        (problem,) = (await api.get("/overview"))["problems"]
        assert problem["effect"] == "held"
        assert f"{state / 'db' / 'pycurrent.db'} is gone" in problem["message"]
        for page in ("/", "/jobs"):
            assert "is gone (No such file or directory)" in (await api.client.get(page)).text
        assert HELD in (await api.client.get("/metrics")).text
        (state / "elsewhere").rename(state / "db")
        await api.harness.advance(timedelta(seconds=5))
        assert (await api.client.get("/readyz")).json() == {"status": "ok"}


async def test_what_stops_nothing_is_told_by_an_engine_that_is_ready(tmp_path: Path) -> None:
    """In `/readyz` without what strangers need not know."""
    async with api_of(lambda: Tasks().stage("quick"), tmp_path) as api:
        problem = Problem("short", "long, with /a/path: <do> this", Effect.TOLD)
        api.harness.engine.problems.report("test", problem)
        answer = await api.client.get("/readyz")
        assert (answer.status_code, answer.json()) == (200, {"status": "ok", "problems": ["short"]})
        assert "long, with /a/path: &lt;do&gt; this" in (await api.client.get("/")).text
        api.harness.engine.problems.clear("test")
        assert (await api.client.get("/readyz")).json() == {"status": "ok"}


async def test_what_a_full_disk_does_not_take_is_refused_for_now(
    tmp_path: Path, full_disk: Callable[[], AbstractContextManager[None]]
) -> None:
    """With the words of `StoreFull`, as an error of the server that may be over soon."""
    rule = {"pattern": "no space", "report": "the disk is full", "score": 1, "kind": None}
    async with api_of(lambda: Tasks().stage("quick"), tmp_path) as api:
        with full_disk():
            status, problem = await api.call("PUT", "/rules", rule)
            assert status == 503
            assert StoreFull.brief.removeprefix("the disk of the database") in problem["detail"]
            assert await api.get("/rules") == {"rules": []}
        assert await api.call("PUT", "/rules", rule) == (200, {"rules": [rule]})
