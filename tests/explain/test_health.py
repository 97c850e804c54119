"""The health of a stage: since when it fails or is well, from which change, and how steadily."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

import pycurrent as current
from pycurrent.cache.cause import (
    NEVER_BUILT,
    Asked,
    Cause,
    Expired,
    Interrupted,
    LeftUnsettled,
    Retried,
    ValueChanged,
    cause_text,
)
from pycurrent.explain.health import Flip, HealthState, StageHealth, flips_of
from pycurrent.explain.why import UnknownSubject, why_recorded
from pycurrent.store import DatabaseReader, JobEnd, RunRecord
from pycurrent.testing import Harness, HarnessFactory

START = datetime(2026, 1, 1, tzinfo=UTC)
TO_ASK = Asked("ann", "once more")


def runs(*ends: tuple[Cause | None, JobEnd], values: str = "") -> Iterator[RunRecord]:
    """Runs of one key by their causes and ends; a letter of `values` is the value of one."""
    build = 0
    for seq, (cause, end) in enumerate(ends):
        yield RunRecord(
            seq=seq,
            job_id=f"job {seq}",
            op="test",
            key_digest="web",
            value_digest=values[seq] if values else None,
            build=build,
            ended=end,
            cause=None if cause is None else cause_text(cause),
            at=START + timedelta(hours=seq),
        )
        build += end.has_result


def flip(failed: int, passed: int) -> Flip:
    later = max(failed, passed)
    return Flip(f"job {failed}", f"job {passed}", START + timedelta(hours=later))


@pytest.mark.parametrize("cause", [TO_ASK, Retried("job 0", 2, 3), Interrupted("job 0")])
def test_a_key_that_failed_and_passed_without_a_change_is_flaky(cause: Cause) -> None:
    """In either order: it was tried again, somebody asked for it, or it was interrupted."""
    healed = runs((NEVER_BUILT, JobEnd.FAILED), (cause, JobEnd.OK))
    broken = runs((NEVER_BUILT, JobEnd.OK), (cause, JobEnd.TIMED_OUT))
    assert flips_of(healed) == [flip(0, 1)]
    assert flips_of(broken) == [flip(1, 0)]


@pytest.mark.parametrize(
    "cause", [Expired(START), ValueChanged("x", "x"), LeftUnsettled("job 0"), None]
)
def test_after_a_change_a_key_is_not_flaky(cause: Cause | None) -> None:
    """The world, or what the key is set to, was another meanwhile, or nobody knows."""
    assert flips_of(runs((NEVER_BUILT, JobEnd.FAILED), (cause, JobEnd.OK))) == []


def test_a_key_is_not_flaky_by_two_values() -> None:
    """Each value is work of its own."""
    ends = (NEVER_BUILT, JobEnd.FAILED), (TO_ASK, JobEnd.OK), (TO_ASK, JobEnd.FAILED)
    assert flips_of(runs(*ends, values="abb")) == [flip(2, 1)]


def test_the_cause_of_an_interrupted_run_counts() -> None:
    """What follows it is run for the same reason."""
    expired = runs(
        (NEVER_BUILT, JobEnd.FAILED),
        (Expired(START), JobEnd.INTERRUPTED),
        (Interrupted("job 1"), JobEnd.OK),
    )
    assert flips_of(expired) == []


def test_a_run_that_was_cancelled_says_nothing() -> None:
    """Neither that its key fails, nor that it has changed."""
    ends = (NEVER_BUILT, JobEnd.OK), (TO_ASK, JobEnd.CANCELLED)
    assert flips_of(runs(*ends)) == []
    assert flips_of(runs(*ends, (TO_ASK, JobEnd.FAILED))) == [flip(2, 0)]


def test_runs_of_which_some_are_missing_tell_of_no_flip_between_them() -> None:
    """Another stage may have used those."""
    first, _, last = runs(
        (NEVER_BUILT, JobEnd.FAILED), (Expired(START), JobEnd.OK), (TO_ASK, JobEnd.OK)
    )
    assert flips_of([last, first]) == []


# With an engine


class Check(current.Builder[str, str]):
    """Fails for keys that are named bad, and as often as it is told to."""

    id = "check"

    def __init__(self) -> None:
        self.fails = 0

    async def build(self, job: current.Job, key: str) -> str:
        await job.start(level=current.Level.HARMLESS)
        if self.fails or key.startswith("bad"):
            self.fails = max(0, self.fails - 1)
            raise current.Failure("it is bad")
        return key

    def of(self, commit: current.Current[str], *, attempts: int = 1) -> current.Current[str]:
        retry = current.Retry(real=attempts - 1, backoff=timedelta(minutes=1))
        return current.component("check", lambda key: self.get(key, retry=retry), commit)


async def pushed(h: Harness, head: current.Var[str], commit: str) -> StageHealth:
    await h.advance(timedelta(hours=1))
    head.set(commit)
    await h.settle()
    return h.engine.health("check")


async def test_the_health_follows_the_verdicts(harness: HarnessFactory) -> None:
    """Well, new, still, fixed, well: with the job, the time, the change, and what was before."""
    head = current.Var("head", "1")
    check = Check()
    async with harness(lambda: check.of(head.get())) as h:
        await h.settle()
        well = h.engine.health("check")
        assert (well.state, well.is_failing, well.before) == (HealthState.WELL, False, None)
        new = await pushed(h, head, "bad 2")
        still = await pushed(h, head, "bad 3")
        fixed = await pushed(h, head, "4")
        later = await pushed(h, head, "5")
        states = [health.state for health in (new, still, fixed, later)]
        assert states == [
            HealthState.NEW, HealthState.STILL, HealthState.FIXED, HealthState.WELL,
        ]  # fmt: skip
        assert [health.is_failing for health in (new, still, fixed, later)] == [
            True, True, False, False,
        ]  # fmt: skip
        assert (new.since, new.before) == (START + timedelta(hours=1), well.job)
        assert (still.since, still.job, still.before) == (new.since, new.job, well.job)
        assert (fixed.since, later.since) == (START + timedelta(hours=3), fixed.since)
        assert [change.summary for change in still.changes] == ["head: 1 → bad 2"]
        assert [change.summary for change in later.changes] == ["head: bad 3 → 4"]
        assert str(still) == (
            f"check: it still fails, since 2026-01-01 01:00:00 UTC, job {new.job};"
            f" it was well until job {well.job}\n"
            "  from head: 1 → bad 2, at 2026-01-01 01:00:00 UTC (change 2)"
        )
        assert h.engine.why("check").health == later
        state_dir = h.engine.opened.state.database
    with DatabaseReader.open(state_dir) as store:
        assert why_recorded(store, "check").health == later


async def test_going_back_to_a_good_commit_is_a_fix(harness: HarnessFactory) -> None:
    """From the time at which the stage came to use the known result; nothing was run."""
    head = current.Var("head", "1")
    check = Check()
    async with harness(lambda: check.of(head.get())) as h:
        await h.settle()
        first = h.engine.health("check").job
        await pushed(h, head, "bad 2")
        fixed = await pushed(h, head, "1")
        assert (fixed.state, fixed.job) == (HealthState.FIXED, first)
        assert fixed.since == START + timedelta(hours=2)


async def test_a_stage_is_flaky_if_it_passes_on_a_later_attempt(harness: HarnessFactory) -> None:
    """Until then it has no verdict; it stays flaky over later commits, and a fix is a fix."""
    head = current.Var("head", "1")
    check = Check()
    async with harness(lambda: check.of(head.get(), attempts=2)) as h:
        check.fails = 1
        await h.settle()
        assert h.engine.health("check").state is HealthState.UNKNOWN
        first = h.find("check 1").id
        await h.advance(timedelta(minutes=1))
        flaky = h.engine.health("check")
        assert (flaky.state, flaky.is_failing) == (HealthState.FLAKY, False)
        assert flaky.flips == (Flip(first, h.find("check 1").id, h.clock.now()),)
        assert "\n  flaky: job " in str(flaky)
        assert (await pushed(h, head, "2")).state is HealthState.FLAKY
        await pushed(h, head, "bad 3")
        await h.advance(timedelta(minutes=1))
        new = h.engine.health("check")
        assert (new.state, new.flips) == (HealthState.NEW, flaky.flips)
        fixed = await pushed(h, head, "4")
        assert (fixed.state, fixed.flips) == (HealthState.FIXED, flaky.flips)
        for number in range(5, 24):
            later = await pushed(h, head, str(number))
        assert (later.state, later.flips) == (HealthState.WELL, ())


async def test_a_rebuild_that_ends_otherwise_is_flaky(harness: HarnessFactory) -> None:
    """Failing, too, for all stages that use the key."""
    check = Check()

    def pipeline() -> current.Current[None]:
        one = current.constant("1")
        again = current.component("again", check.get, one)
        return current.all([check.of(one), again])

    async with harness(pipeline) as h:
        await h.settle()
        check.fails = 1
        h.find("check 1").rebuild()
        await h.settle()
        for path in ("check", "again"):
            health = h.engine.health(path)
            assert (health.state, health.is_failing) == (HealthState.FLAKY, True)


async def test_a_stage_without_a_run_has_an_unknown_health(harness: HarnessFactory) -> None:
    """A stage that is not known at all is refused."""
    check = Check()
    async with harness(lambda: check.of(current.active(current.Activity.READY))) as h:
        await h.settle()
        health = h.engine.health("check")
        assert (health.state, health.since) == (HealthState.UNKNOWN, None)
        assert str(health) == "check: not known, as no run of it has ended"
        with pytest.raises(UnknownSubject, match="'nowhere' is neither a stage"):
            h.engine.health("nowhere")
