"""What is recorded of a failure when its job ends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

import pycurrent as current
from pycurrent import FailureKind, Job, Level, LogRule, Retry
from pycurrent.explain.findings import read_lines
from pycurrent.store import FailureRecord, JobEnd
from pycurrent.testing import Harness, HarnessFactory

OFFLINE = "curl: (6) Could not resolve host: mirror.example.org"


class Work:
    """Jobs that print what they are told to, and then fail, with no further attempt."""

    def __init__(self, **prints: str) -> None:
        self.prints = prints

        @current.builder("work", level=Level.HARMLESS, retry=Retry(infra=0))
        async def work(job: Job, key: str) -> str:
            text = self.prints[key]
            if text == "ok":
                return "done"
            await job.exec(["sh", "-c", "cat >&2; exit 3"], stdin=text)
            return "done"

        self.stage: Callable[[str], current.Current[str]] = work

    def pipeline(self) -> current.Current[None]:
        return current.all([self.stage(key).state().map(lambda _: None) for key in self.prints])


def failure(h: Harness, description: str) -> FailureRecord:
    """What is recorded of the failure of a job."""
    found = h.engine.opened.store.failures.of_job(h.find(description).id)
    assert found is not None
    return found


async def test_the_lines_that_tell_are_recorded_with_the_end(harness: HarnessFactory) -> None:
    """With those around; and the kind that they give."""
    work = Work(a=f"hello\n{OFFLINE}", b="src/a.c:3:1: error: unknown type name 'foo'")
    async with harness(work.pipeline) as h:
        await h.settle()
        a, b = failure(h, "work a"), failure(h, "work b")
        assert (a.kind, b.kind) == ("infra", "real")
        assert a.lines is not None
        assert read_lines(a.lines).telling == [OFFLINE]
        assert "hello" in [line.text for line in read_lines(a.lines).excerpts[0].lines]
        outcome = h.find("work a").outcome
        assert isinstance(outcome, current.Failed)
        assert outcome.kind is FailureKind.INFRA
        record = h.engine.opened.store.job(h.find("work a").id)
        assert record is not None
        assert (record.kind, record.finished) == ("infra", a.at)


async def test_what_has_not_failed_has_no_lines(harness: HarnessFactory) -> None:
    """Nor has a job that a person has cancelled."""

    @current.builder("ask", level=Level.DANGEROUS)
    async def ask(job: Job, key: str) -> str:
        return key

    config = current.Config(confirm=Level.DANGEROUS)
    work = Work(a="ok")
    async with harness(lambda: current.all([work.pipeline(), ask("x")]), config=config) as h:
        await h.settle()
        h.find("ask x").cancel("not now", by="ann")
        await h.settle()
        store = h.engine.opened.store
        jobs = {job.op: job for job in store.history()}
        assert {op: job.ended for op, job in jobs.items()} == {
            "work": JobEnd.OK,
            "ask": JobEnd.CANCELLED,
        }
        assert [store.failures.of_job(job.job_id) for job in jobs.values()] == [None, None]


async def test_what_is_too_slow_is_recorded_too(harness: HarnessFactory) -> None:
    """With the end of its log; log rules don't change its message."""

    @current.builder("slow", level=Level.HARMLESS, timeout=timedelta(seconds=5))
    async def slow(job: Job, key: str) -> str:
        await job.exec(["sh", "-c", "echo asking the oracle; sleep 1000"])
        return key

    async with harness(lambda: slow("a")) as h:
        h.engine.log_rules.add(LogRule("oracle", "the oracle", 1))
        await h.until(lambda: "\nasking" in h.log("slow a"))
        h.clock.move(timedelta(seconds=6))
        await h.settle()
        found = failure(h, "slow a")
        assert (found.kind, found.form) == ("timeout", "Timed out after …")
        assert found.lines is not None
        assert read_lines(found.lines).telling == ["asking the oracle"]


async def test_failures_with_one_cause_have_one_fingerprint(harness: HarnessFactory) -> None:
    """Their normal form is kept once, until the last of them is removed."""
    work = Work(a="main.c:3:1: error: no x1", b="main.c:4:77: error: no x1", c="error: other")
    async with harness(work.pipeline) as h:
        await h.settle()
        a, b, c = (failure(h, f"work {key}") for key in "abc")
        assert a.fingerprint == b.fingerprint != c.fingerprint
        assert a.form.endswith(": main.c:…: error: no x1")


@pytest.mark.parametrize("kind", [FailureKind.INFRA, FailureKind.TIMEOUT, FailureKind.REAL])
async def test_a_log_rule_gives_the_kind(harness: HarnessFactory, kind: FailureKind) -> None:
    """Whatever the log says otherwise; its line comes first."""
    work = Work(a=f"the moon is full\n{OFFLINE}")
    async with harness(work.pipeline) as h:
        h.engine.log_rules.add(LogRule("the moon is (.*)", r"\1 moon", 1, kind=kind))
        await h.settle()
        found = failure(h, "work a")
        assert (found.kind, found.form) == (kind.value, "full moon")
        assert found.lines is not None
        assert read_lines(found.lines).telling[0] == "the moon is full"


async def test_since_when_a_stage_fails_is_known(harness: HarnessFactory) -> None:
    """From the first failure after the last good run, seen from any of them."""
    shown = current.Var("text", "start")
    printed = ["ok", "error: x", "error: y", "ok", "error: z"]

    @current.builder("work", level=Level.HARMLESS)
    async def work(job: Job, key: str) -> str:
        if key.startswith("error"):
            raise current.Failure(key)
        return key

    async with harness(lambda: work(shown.get())) as h:
        ids = []
        for number, text in enumerate(printed):
            shown.set(f"{text} {number}")
            await h.settle()
            h.clock.move(timedelta(minutes=1))
            ids.append(h.find(f"{text} {number}").id)
        failures = h.engine.opened.store.failures
        (path,) = h.find("work").paths
        seen = [failures.failing_since(ids[number], path) for number in (1, 2, 4)]
        assert [(s.last_ok, s.since_job, s.fixed_by) for s in seen if s is not None] == [
            (ids[0], ids[1], ids[3]),
            (ids[0], ids[1], ids[3]),
            (ids[3], ids[4], None),
        ]
