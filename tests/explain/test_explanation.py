"""All that explains a job: in one value, and in words."""

from __future__ import annotations

import json
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pycurrent as current
from pycurrent import Job, Level
from pycurrent.explain.by_hand import by_hand
from pycurrent.explain.error_lines import FoundBy
from pycurrent.explain.explanation import JobExplanation
from pycurrent.service import Records
from pycurrent.testing import Harness


def explained(h: Harness, job_id: str) -> JobExplanation:
    """By the records, as another process reads them."""
    with Records.open(h.engine.opened.state.path) as records:
        found = records.explain(job_id)
    assert found is not None
    return found


async def test_a_failure_is_explained(tmp_path: Path) -> None:
    """By its message and kind, its cause, its log, its stages, what fails alike, and by hand."""
    text = current.Var("text", "ok")

    @current.builder("work", level=Level.HARMLESS)
    async def work(job: Job, key: str) -> str:
        await job.exec(["sh", "-c", 'cat; [ "$0" = ok ]', key.split(maxsplit=1)[0]], stdin=key)
        return key

    async with Harness(lambda: work(text.get()), state_dir=tmp_path) as h:
        ids = []
        for printed in ("ok", "bad\na.c:3:1: error: no such x", "bad\na.c:7:9: error: no such x"):
            text.set(printed)
            await h.settle()
            ids.append(h.find("work").id)
            h.clock.move(timedelta(minutes=1))
        found = explained(h, ids[2])
        assert (found.state, found.kind) == ("failed", current.FailureKind.REAL)
        assert found.lines is not None
        assert found.lines.found_by is FoundBy.PATTERN
        assert found.lines.telling == ["a.c:7:9: error: no such x"]
        assert found.alike is not None
        assert (found.alike.count, found.alike.newest) == (2, ids[2])
        (stage,) = found.stages
        assert stage.failing is not None
        assert (stage.failing.since_job, stage.failing.last_ok) == (ids[1], ids[0])
        assert found.by_hand.commands == ("sh -c 'cat; [ \"$0\" = ok ]' bad",)
        assert (stage.health.state.value, stage.health.before) == ("still", ids[0])
        said = str(found)
        assert said.startswith(f"{ids[2]}: work bad a.c:7:9: error: no such x: failed (real) at")
        assert "was run because it has not been built yet" in said
        assert "\n>        5 | a.c:7:9: error: no such x\n" in said
        assert f"job {ids[1]}; well until job {ids[0]}" in said
        assert f"2 failures alike since 2026-01-01 00:01:00 UTC, the newest is job {ids[2]}" in said
        assert json.loads(json.dumps(found.as_builtins()))["text"] == said.split("\n")


async def test_a_failure_names_the_other_stages_that_fail_alike(tmp_path: Path) -> None:
    """Its own are named already."""

    @current.builder("work", level=Level.HARMLESS)
    async def work(job: Job, key: str) -> str:
        raise current.Failure("no answer from 10.0.0." + key)

    async with Harness(lambda: current.all([work("1"), work("2")]), state_dir=tmp_path) as h:
        await h.settle()
        said = str(explained(h, h.find("work 1").id))
        assert "\nstage work 1: failing since" in said
        assert "\n2 failures alike since" in said
        assert said.index("\n  also of work 2") > said.index("failures alike")


async def test_a_flaky_job_says_so(tmp_path: Path) -> None:
    """With the runs of its key that end differently, and the health of its stages by now."""
    fails = [True]

    @current.builder("work", level=Level.HARMLESS)
    async def work(job: Job, key: str) -> str:
        if fails:
            raise current.Failure("no")
        return key

    async with Harness(lambda: work("a"), state_dir=tmp_path) as h:
        await h.settle()
        first = h.find("work a")
        fails.clear()
        first.rebuild()
        await h.settle()
        found, second = explained(h, first.id), h.find("work a").id
        (flip,) = found.flips
        assert (flip.failed, flip.passed) == (first.id, second)
        (stage,) = found.stages
        assert stage.health.state.value == "flaky"
        said = str(found)
        assert f"fixed by job {second}\n  health: flaky, well since 2026-01-01 00:00:00" in said
        assert f"\nflaky: job {first.id} failed and job {second} passed for one key" in said
        assert explained(h, second).flips == found.flips


async def test_what_has_not_failed_is_explained_by_its_cause(tmp_path: Path) -> None:
    """And by hand; nothing of a failure is there."""

    @current.builder("work", level=Level.HARMLESS)
    async def work(job: Job, key: str) -> str:
        await job.exec(["true"])
        return key

    async with Harness(lambda: work("a"), state_dir=tmp_path) as h:
        await h.settle()
        found = explained(h, h.find("work a").id)
        assert (found.state, found.kind, found.failure, found.lines) == ("ok", None, None, None)
        assert (found.alike, found.by_hand.commands) == (None, ("true",))
        assert [stage.failing for stage in found.stages] == [None]
        assert "\nto do the same by hand:\n  true" in str(found)


async def test_a_failure_whose_log_was_removed_is_explained_by_its_record(tmp_path: Path) -> None:
    """The lines were kept."""

    @current.builder("work", level=Level.HARMLESS)
    async def work(job: Job, key: str) -> str:
        await job.exec(["sh", "-c", "echo fatal: no; exit 3"])
        return key

    async with Harness(lambda: work("a"), state_dir=tmp_path) as h:
        await h.settle()
        job_id = h.find("work a").id
        h.engine.opened.state.job_path(job_id).unlink()
        found = explained(h, job_id)
        assert found.lines is not None
        assert found.lines.telling == ["fatal: no"]
        assert found.by_hand.commands == ()


def test_commands_by_hand_are_those_since_the_files_were_got() -> None:
    """The commands before have got them. Output that looks like it, but has no time, is none."""
    log = b"""2026-11-22 09:30.05: New job: make
2026-11-22 09:30.05: Exec: git clone x
2026-11-22 09:30.06: Checked out x. To get the same by hand: git clone x y && git -C y checkout z
2026-11-22 09:30.06: Exec: make -j4
Exec: rm -rf /
2026-11-22 09:30.07: Exec: make install
2026-11-22 09:30.08: Job failed: make install exited with status 2
"""
    found = by_hand(BytesIO(log))
    assert found.files == ("git clone x y && git -C y checkout z",)
    assert found.commands == ("make -j4", "make install")


def test_the_ends_of_a_long_log_are_read() -> None:
    """However long it is."""
    note = b"2026-11-22 09:30.05: Exec: make %d\n"
    found = by_hand(BytesIO(note % 1 + b"x\n" * (4 << 20) + note % 2))
    assert found.commands == ("make 1", "make 2")
