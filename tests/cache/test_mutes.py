"""Mutes: a failure that people know of is shown, and does not fail what is above."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import pycurrent as current
from pycurrent.engine import Asker, Mute, MuteKind
from pycurrent.errors import UsageError, WrongKind
from pycurrent.explain.reasons import Blocked, FailureMuted
from pycurrent.store import DatabaseReader
from pycurrent.term import State
from pycurrent.testing import Harness, HarnessFactory

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


class Shop:
    """Tests of its parts, which fail with a message or pass."""

    def __init__(self, **failing: str) -> None:
        self.failing = failing
        self.runs: list[str] = []
        self.names = current.Var("names", ["a", "b"])

    def test(self, name: str) -> current.Current[str]:
        return current.component(f"test {name}", lambda: Test(self).get(name))

    def all_of(self, *names: str) -> Callable[[], current.Current[Any]]:
        return lambda: current.all({name: self.test(name) for name in names})

    async def rebuild(self, h: Harness, name: str) -> None:
        h.find(f"test {name}").rebuild()
        await h.settle()


class Test(current.Builder[str, str]):
    __test__ = False
    id = "test"

    def __init__(self, shop: Shop) -> None:
        self.shop = shop

    async def build(self, job: current.Job, key: str) -> str:
        await job.start(level=current.Level.AVERAGE)
        self.shop.runs.append(key)
        if key in self.shop.failing:
            raise current.Failure(self.shop.failing[key])
        return key


def mute(h: Harness, path: str = "test a", **more: Any) -> None:
    h.engine.mute(path, **{"by": "ada", "reason": "known", **more})


def only_mute(h: Harness) -> Mute:
    (found,) = h.engine.mutes
    return found


def stage(h: Harness, label: str) -> Any:
    (node,) = [node for node in h.graph().nodes if node.label == label]
    return node


async def test_a_muted_failure_is_shown_and_left_out_of_what_is_above(
    harness: HarnessFactory,
) -> None:
    """At once, without another run of the stage, and the other way round when it is lifted."""
    shop = Shop(a="broken")
    async with harness(shop.all_of("a", "b")) as h:
        await h.settle()
        assert h.output == current.Failed("a failed: broken")
        mute(h)
        await h.settle()
        assert h.output == current.Ok(None)
        assert (h.stats.failed, h.stats.muted, h.stats.ok) == (0, 1, 1)
        shown = stage(h, "test a")
        assert (shown.state, shown.failure) == (State.MUTED, "broken")
        assert shown.note == "muted by ada until 2026-01-31 00:00:00 UTC: known"
        h.engine.unmute("test a", by="ben", reason="no more")
        await h.settle()
        assert h.output == current.Failed("a failed: broken")
        assert (h.stats.failed, h.stats.muted) == (1, 0)
        assert shop.runs == ["a", "b"]


async def test_other_failures_are_told_as_if_there_were_no_muted_one(
    harness: HarnessFactory,
) -> None:
    """The message names those that fail what is above, and not the muted one."""
    async with harness(Shop(a="broken", b="torn").all_of("a", "b")) as h:
        await h.settle()
        mute(h)
        await h.settle()
        assert h.output == current.Failed("b failed: torn")


async def test_what_needs_a_value_stays_blocked_and_why_names_the_mute(
    harness: HarnessFactory,
) -> None:
    """What needs no value of that in turn goes on without it, too."""
    shop = Shop(a="broken")

    def pipeline() -> current.Current[Any]:
        packed = current.component(
            "pack",
            current.Primitive.constant,
            (current.pair(shop.test("a"), shop.test("b"))),
        )
        return current.all([packed, shop.test("b")])

    async with harness(pipeline) as h:
        await h.settle()
        mute(h)
        await h.settle()
        assert h.output == current.Ok(None)
        assert (h.stats.muted, h.stats.blocked) == (1, 1)
        blocked, muted = h.engine.why("pack").reasons
        assert blocked == Blocked(("test a",), 0)
        assert isinstance(muted, FailureMuted)
        assert (muted.stage, muted.owner, muted.reason) == ("test a", "ada", "known")
        own = str(h.engine.why("test a"))
        assert "its failure is muted by ada, since 2026-01-01 00:00:00 UTC, until 2026-01-31" in own
        assert "and ada is to fix it: known" in own


@pytest.mark.parametrize(
    ("above", "is_failed"),
    [
        (lambda a, b: current.all([a, b]), False),
        (lambda a, b: a.ignore(), False),
        (lambda a, b: b.gate(on=a), False),
        (lambda a, b: a.gate(on=b), True),
        (lambda a, b: a.collapse(key="fold", value="all", input=b).ignore(), False),
        (lambda a, b: current.seq([a, b]), True),
        (current.pair, True),
        (lambda a, b: a.map(str.upper), True),
        (lambda a, b: a.bind(lambda _: b), True),
        (lambda a, b: current.all([a.map(str.upper), a.bind(lambda _: b)]), False),
        (lambda a, b: a.map_error(lambda why: why).ignore(), False),
        (lambda a, b: a.map_error(lambda why: why), True),
        (lambda a, b: a.latch().ignore(), False),
        (lambda a, b: current.constant(["a"]).list_iter(lambda _: a), False),
        (lambda a, b: current.constant(["a"]).list_map(lambda _: a), True),
        (lambda a, b: current.constant("a").option_iter(lambda _: a), False),
        (lambda a, b: current.constant("a").option_map(lambda _: a), True),
        (lambda a, b: a.catch().map(type).map(lambda found: found.__name__), False),
    ],
)
async def test_only_what_needs_no_value_goes_on(
    above: Callable[..., current.Current[Any]], is_failed: bool, harness: HarnessFactory
) -> None:
    """The mark of a failure goes the same way as the failure, up to where no value is needed."""
    shop = Shop(a="broken")
    async with harness(lambda: above(shop.test("a"), shop.test("b"))) as h:
        await h.settle()
        failed = h.output
        mute(h)
        await h.settle()
        assert isinstance(h.output, current.Failed) is is_failed
        h.engine.unmute("test a")
        await h.settle()
        assert h.output == failed


async def test_a_mute_excuses_nothing_else(harness: HarnessFactory) -> None:
    """Where a failure of another stage, or one that is not known yet, meets it, that counts: a gate
    stays closed.
    """
    shop = Shop(a="broken", b="torn")

    def pipeline() -> current.Current[Any]:
        both = current.pair(shop.test("a"), shop.test("b"))
        return current.constant(1).gate(on=current.all([both]))

    async with harness(pipeline, config=current.Config(confirm=current.Level.AVERAGE)) as h:
        await h.settle()
        h.find("test a").approve()
        await h.settle()
        mute(h)
        await h.settle()
        assert h.output == current.Active(current.Activity.WAITING_FOR_CONFIRMATION)
        h.find("test b").approve()
        await h.settle()
        assert h.output == current.Failed("torn")


async def test_authors_are_given_the_failure_itself(harness: HarnessFactory) -> None:
    """`catch` and `state` see the same as ever, and no function is called because of a mute."""
    shop = Shop(a="broken")
    seen: list[Any] = []

    def pipeline() -> current.Current[Any]:
        a = shop.test("a")
        caught = a.catch().map(seen.append)
        return current.all([caught, a.state().bind(current.from_output)])

    async with harness(pipeline) as h:
        await h.settle()
        told = [*seen]
        mute(h)
        await h.settle()
        assert seen == told == [current.Failed("broken")]
        assert h.output == current.Failed("broken"), "what an author makes of it is not muted"


async def test_a_mute_may_come_before_the_failure(harness: HarnessFactory) -> None:
    """It is of the stage: of whatever that fails with later."""
    shop = Shop()
    async with harness(shop.all_of("a", "b")) as h:
        await h.settle()
        mute(h)
        shop.failing["a"] = "broken"
        await shop.rebuild(h, "a")
        assert (h.output, h.stats.muted) == (current.Ok(None), 1)


async def test_a_mute_holds_over_restarts(harness: HarnessFactory) -> None:
    """From the first step on."""
    shop = Shop(a="broken")
    async with harness(shop.all_of("a", "b"), start=BEGIN) as h:
        await h.settle()
        mute(h, owner="cleo", until=BEGIN + 3 * DAY)
        before = only_mute(h)
    async with harness(shop.all_of("a", "b"), start=BEGIN + DAY) as h:
        assert (only_mute(h), h.output) == (before, current.Ok(None))
        assert before.owner == "cleo"
        assert shop.runs == ["a", "b"]
    async with harness(shop.all_of("a", "b"), start=BEGIN + 4 * DAY) as h:
        await h.settle()
        assert h.output == current.Failed("a failed: broken")
        assert not h.engine.mutes


async def test_a_mute_ends_at_its_time(harness: HarnessFactory) -> None:
    """By itself, which the audit tells."""
    async with harness(Shop(a="broken").all_of("a", "b"), start=BEGIN) as h:
        await h.settle()
        mute(h, until=BEGIN + DAY)
        await h.settle()
        assert h.output == current.Ok(None)
        await h.advance(DAY)
        assert h.output == current.Failed("a failed: broken")
        ended, set_ = h.engine.audit()
        assert (ended.who, ended.via, ended.what, ended.subject) == (
            "pycurrent", "time", "unmute", "path test a",
        )  # fmt: skip
        assert (set_.who, set_.what, set_.after, set_.reason) == (
            "ada", "mute", "for ada until 2026-01-02 00:00:00 UTC", "known",
        )  # fmt: skip


async def test_a_mute_ends_after_20_passes_in_a_row(harness: HarnessFactory) -> None:
    """Also if the engine is started anew between them. A failure begins the row anew, and a result
    that was known already is no pass.
    """
    shop = Shop()
    async with harness(shop.all_of("a", "b"), start=BEGIN) as h:
        await h.settle()
        mute(h)
        for _ in range(3):
            await shop.rebuild(h, "a")
            await shop.rebuild(h, "b")
        assert only_mute(h).passes == 3
        shop.failing["a"] = "broken"
        await shop.rebuild(h, "a")
        assert only_mute(h).passes == 0
        del shop.failing["a"]
        for _ in range(10):
            await shop.rebuild(h, "a")
    async with harness(shop.all_of("a", "b"), start=BEGIN + DAY) as h:
        await h.settle()
        assert only_mute(h).passes == 10
        for _ in range(9):
            await shop.rebuild(h, "a")
        assert only_mute(h).passes == 19
        await shop.rebuild(h, "a")
        assert not h.engine.mutes
        ended = h.engine.audit()[0]
        assert (ended.via, ended.what, ended.reason) == (
            "passes", "unmute", "it has passed 20 times",
        )  # fmt: skip


async def test_an_attempt_that_is_tried_again_counts_neither_way(harness: HarnessFactory) -> None:
    """Only the last one is a verdict on the stage."""
    shop = Shop()

    def pipeline() -> current.Current[Any]:
        retry = current.Retry(real=1, backoff=timedelta(seconds=1))
        return current.component("test a", lambda: Test(shop).get("a", retry=retry))

    async with harness(pipeline) as h:
        await h.settle()
        mute(h)
        await shop.rebuild(h, "a")
        shop.failing["a"] = "broken"
        h.find("test a").rebuild()
        await h.settle()
        assert (only_mute(h).passes, h.stats.ready) == (1, 1)
        del shop.failing["a"]
        await h.advance(timedelta(seconds=2))
        assert only_mute(h).passes == 2


def fingerprint_of(h: Harness, path: str) -> str:
    (group,) = h.engine.opened.store.failures.groups(path=path)
    return group.fingerprint


async def test_a_fingerprint_mutes_all_failures_that_have_it(harness: HarnessFactory) -> None:
    """Those that there are, those to come, and those after a restart; of its digest the beginning
    will do.
    """
    shop = Shop(a="no answer in 3 s", b="no answer in 5 s", c="broken")
    async with harness(shop.all_of("a", "b", "c", "d")) as h:
        await h.settle()
        found = fingerprint_of(h, "test a")
        h.engine.mute(fingerprint=found[:6], by="ada", reason="the server is away")
        await h.settle()
        assert h.output == current.Failed("c failed: broken")
        assert only_mute(h).what.kind is MuteKind.FINGERPRINT
        assert f"as fingerprint {found}" in str(h.engine.why("test b"))
        shop.failing["d"] = "no answer in 7 s"
        await shop.rebuild(h, "d")
        assert h.stats.muted == 3
        shop.failing["a"] = "torn"
        await shop.rebuild(h, "a")
        assert (h.stats.muted, h.stats.failed) == (2, 2)
    async with harness(shop.all_of("a", "b", "c", "d")) as h:
        await h.settle()
        assert (h.stats.muted, h.stats.failed) == (2, 2)
        h.engine.unmute(fingerprint=found[:6])
        await h.settle()
        assert (h.stats.muted, h.stats.failed) == (0, 4)


async def test_passes_of_the_stages_that_have_failed_with_a_fingerprint_end_its_mute(
    harness: HarnessFactory,
) -> None:
    """Of all of these together, and of no others."""
    shop = Shop(a="no answer", b="no answer")
    async with harness(shop.all_of("a", "b", "c")) as h:
        await h.settle()
        h.engine.mute(fingerprint=fingerprint_of(h, "test a"), by="ada", reason="known")
        shop.failing = {"b": "broken"}
        for name in ("a", "b", "c", "a"):
            await shop.rebuild(h, name)
        assert only_mute(h).passes == 2
        shop.failing = {"b": "no answer"}
        await shop.rebuild(h, "b")
        assert only_mute(h).passes == 0
        shop.failing = {}
        for _ in range(10):
            await shop.rebuild(h, "a")
            await shop.rebuild(h, "b")
        assert not h.engine.mutes


async def test_a_failure_stays_muted_by_its_fingerprint_while_it_is_made_again(
    harness: HarnessFactory,
) -> None:
    """An old result that is still shown is the one that is muted."""
    shop = Shop(a="broken")
    go_on = current.Var("go on", True)
    schedule = current.Schedule(valid_for=DAY)
    config = current.Config()

    def pipeline() -> current.Current[Any]:
        test = current.component("test a", lambda: Test(shop).get("a", schedule=schedule))
        return current.all([test, go_on.get()])

    async with harness(pipeline, config=config) as h:
        await h.settle()
        h.engine.mute(fingerprint=fingerprint_of(h, "test a"), by="ada", reason="known")
        config.confirm = current.Level.AVERAGE
        await h.advance(DAY)
        assert stage(h, "test a").update is current.Activity.WAITING_FOR_CONFIRMATION
        assert h.output == current.Ok(None)
        (muted,) = h.engine.mutes
        h.engine.unmute(fingerprint=muted.what.name)
        await h.settle()
        assert h.output == current.Failed("broken")
        h.engine.mute(fingerprint=muted.what.name, by="ada", reason="known")
        await h.settle()
        assert h.output == current.Ok(None)


async def test_a_latch_gives_up_a_mute_that_has_ended(harness: HarnessFactory) -> None:
    """Also while it holds the failure, as its stage is being made again."""
    shop = Shop(a="broken")
    config = current.Config()
    async with harness(lambda: current.all([shop.test("a").latch()]), config=config) as h:
        await h.settle()
        mute(h)
        await h.settle()
        config.confirm = current.Level.AVERAGE
        await shop.rebuild(h, "a")
        assert h.output == current.Ok(None)
        h.engine.unmute("test a")
        await h.settle()
        assert h.output == current.Failed("broken")


async def test_a_named_bind_can_be_muted(harness: HarnessFactory) -> None:
    """It is a stage: of what it decides on other stages have the failures."""

    def decide(value: int) -> current.Current[int]:
        raise current.Failure("undecided")

    def pipeline() -> current.Current[Any]:
        return current.all([current.constant(1).bind(decide, name="plan")])

    async with harness(pipeline) as h:
        await h.settle()
        mute(h, "plan")
        await h.settle()
        assert (h.output, h.stats.muted) == (current.Ok(None), 1)
        mute(h, "plan", reason="still known")
        await h.settle()
        assert stage(h, "plan").note.endswith("still known")
        h.engine.unmute("plan")
        await h.settle()
        assert (h.output, h.stats.failed) == (current.Failed("undecided"), 1)


async def test_a_new_mute_takes_the_place_of_the_old_one(harness: HarnessFactory) -> None:
    """Its row of passes begins anew; the audit has both."""
    shop = Shop()
    async with harness(shop.all_of("a", "b")) as h:
        await h.settle()
        mute(h)
        await shop.rebuild(h, "a")
        mute(h, by="ben", reason="really")
        assert (only_mute(h).passes, only_mute(h).reason) == (0, "really")
        assert h.engine.audit()[0].before == "muted by ada until 2026-01-31 00:00:00 UTC: known"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"path": "test x"}, "no stage of the pipeline has the path 'test x'"),
        ({"path": "test a", "reason": None}, "a mute needs a reason"),
        ({"path": "test a", "reason": " "}, "a mute needs a reason"),
        ({"path": "test a", "by": None}, "a mute needs an owner"),
        ({"path": "test a", "until": BEGIN + 31 * DAY}, "a mute holds for 30 days at most"),
        ({"path": "test a", "until": BEGIN}, "has passed"),
        ({"path": "test a", "until": datetime(2026, 1, 2)}, "has no time zone"),
        ({"fingerprint": "abc"}, "no fingerprints of recorded failures begin with 'abc'"),
        ({"path": "test a", "fingerprint": "abc"}, "give one of a path and fingerprint="),
        ({}, "give one of a path and fingerprint="),
        ({"path": ""}, "path= takes a name"),
        ({"path": "twin"}, "give it a name="),
    ],
)
async def test_what_can_t_be_muted_is_refused_in_words(
    given: dict[str, Any], message: str, harness: HarnessFactory
) -> None:
    """And nothing is changed."""
    shop = Shop()

    def pipeline() -> current.Current[Any]:
        twins = [current.component("twin", lambda: Test(shop).get("t")) for _ in range(2)]
        return current.all([shop.test("a"), *twins])

    async with harness(pipeline, start=BEGIN) as h:
        await h.settle()
        with pytest.raises(UsageError, match=message):
            h.engine.mute(**{"by": "ada", "reason": "known", **given})
        assert not h.engine.mutes
        assert not h.engine.audit()


async def test_only_what_is_muted_can_be_unmuted(harness: HarnessFactory) -> None:
    """The message names what is muted."""
    async with harness(Shop().all_of("a", "b")) as h:
        await h.settle()
        with pytest.raises(UsageError, match="path test a is not muted: nothing is muted"):
            h.engine.unmute("test a")
        mute(h)
        with pytest.raises(UsageError, match="muted are path test a"):
            h.engine.unmute("test b")
        with pytest.raises(WrongKind):
            h.engine.unmute(3)  # type: ignore[arg-type]


async def test_a_mute_is_a_change_that_jobs_follow_from(harness: HarnessFactory) -> None:
    """What goes on because of it says so."""
    shop = Shop(a="broken")

    def pipeline() -> current.Current[Any]:
        checked = current.all([shop.test("a"), shop.test("b")])
        return current.component(
            "test c", lambda name: Test(shop).get(name), current.constant("c").gate(on=checked)
        )

    async with harness(pipeline) as h:
        await h.settle()
        h.engine.mute("test a", by=Asker("ada", via="api"), reason="known")
        await h.settle()
        assert h.output == current.Ok("c")
        assert "path test a is muted, by ada: known" in str(h.engine.why("test c"))


async def test_the_records_tell_why_a_stage_was_muted(harness: HarnessFactory) -> None:
    """Also when no engine runs."""
    from pycurrent.explain.why import why_recorded

    async with harness(Shop(a="broken").all_of("a", "b")) as h:
        await h.settle()
        mute(h, owner="cleo")
        path = h.engine.opened.state.database
    with DatabaseReader.open(path) as store:
        assert "its failure is muted by ada" in str(why_recorded(store, "test a"))
        assert "cleo is to fix it" in str(why_recorded(store, "test a"))
