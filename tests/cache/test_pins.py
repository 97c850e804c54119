"""Pins: stages that are inputs, held at values that they have had."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

import pycurrent as current
from pycurrent.engine import Asker
from pycurrent.engine.pins import Pins
from pycurrent.errors import UsageError
from pycurrent.store import ChangeKind, DatabaseReader
from pycurrent.term import Hold
from pycurrent.testing import Harness, HarnessFactory

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Commit:
    hash: str

    def __str__(self) -> str:
        return f"shop {self.hash[:4]}"


class Head:
    """A branch somewhere, whose head moves."""

    def __init__(self, *hashes: str) -> None:
        self.hash = hashes[0]
        self.refresh: Callable[[], None] = lambda: None
        self.reads = 0
        self.answers = asyncio.Event()
        """Until it is set a read goes on."""
        self.answers.set()
        self.monitor = self.monitored()

    def monitored(self) -> current.Monitor[Commit]:
        """Another monitor of it, as after a restart of the program."""
        return current.Monitor(read=self.read, watch=self.watch, describe="head of shop")

    async def read(self) -> Commit:
        await self.answers.wait()
        self.reads += 1
        return Commit(self.hash)

    @asynccontextmanager
    async def watch(self, refresh: Callable[[], None]) -> AsyncIterator[None]:
        self.refresh = refresh
        yield

    async def move(self, h: Harness, *hashes: str) -> None:
        for hash in hashes:
            self.hash = hash
            self.refresh()
            await h.settle()

    def get(self, name: str = "head") -> current.Current[Commit]:
        return current.component(name, self.monitor.get)


class Deploy(current.Builder[str, str]):
    id = "deploy"

    async def build(self, job: current.Job, key: str) -> str:
        await job.start(level=current.Level.HARMLESS)
        return f"deployed {key}"


@current.component("deploy")
def deploy(commit: Commit) -> current.Primitive[str]:
    return Deploy().get(commit.hash)


def notes(h: Harness) -> dict[str, str]:
    """What the stages say besides their values, by path."""
    return {
        str(h.engine.opened.live.ref(stage)): stage.metadata.note
        for stage in h.engine.opened.live.stages()
        if stage.metadata is not None and stage.metadata.note is not None
    }


def changes(h: Harness) -> list[str]:
    """All changes, the oldest first."""
    return [change.summary for change in reversed(h.engine.opened.store.changes())]


async def test_a_pin_rolls_back(harness: HarnessFactory) -> None:
    """What was deployed before is known, so nothing is done again; then new values don't count."""
    head = Head("aaaa1111")
    async with harness(lambda: deploy(head.get())) as h:
        await h.settle()
        await head.move(h, "bbbb2222")
        assert h.output == current.Ok("deployed bbbb2222")
        h.engine.pin("head", "aaaa", by="ann", reason="bbbb is slow")
        await h.settle()
        assert h.output == current.Ok("deployed aaaa1111")
        assert notes(h) == {"head": "pinned at shop aaaa by ann: bbbb is slow"}
        assert [str(pin) for pin in h.engine.pins] == [*notes(h).values()]
        await head.move(h, "cccc3333")
        assert h.output == current.Ok("deployed aaaa1111")
        h.engine.unpin("head", by="bob", reason="mended")
        await h.settle()
        assert h.output == current.Ok("deployed cccc3333")
        assert notes(h) == {}
        assert [build.key for build in h.history()] == ["aaaa1111", "bbbb2222", "cccc3333"]


async def test_a_pin_and_its_end_are_a_change_each(harness: HarnessFactory) -> None:
    """Of a person, from which the jobs follow; what the input reads meanwhile is recorded, too."""
    head = Head("aaaa1111")
    async with harness(lambda: deploy(head.get())) as h:
        await h.settle()
        await head.move(h, "bbbb2222")
        h.engine.pin("head", "aaaa", by="ann", reason="slow")
        await h.settle()
        await head.move(h, "cccc3333")
        h.engine.unpin("head", by="bob")
        await h.settle()
        assert changes(h) == [
            "head of shop: shop aaaa",
            "head of shop: shop aaaa → shop bbbb",
            "head is pinned at shop aaaa, by ann: slow",
            "head of shop: shop bbbb → shop cccc",
            "head is pinned no longer, by bob",
        ]
        (newest,) = h.engine.history(key="cccc3333")
        follows = h.engine.opened.store.changes_of_job(newest.job_id)
        assert [(change.kind, change.by) for change in follows] == [(ChangeKind.PERSON, "bob")]
        assert [
            (row.who, row.what, row.before, row.after, row.reason) for row in h.engine.audit()
        ] == [
            ("bob", "unpin", "shop aaaa", None, None),
            ("ann", "pin", None, "shop aaaa", "slow"),
        ]


async def test_other_stages_of_the_same_monitor_go_on(harness: HarnessFactory) -> None:
    """A pin holds one stage; and it is watched as before."""
    head = Head("aaaa1111")
    async with harness(lambda: current.pair(head.get("tests"), head.get("deploys"))) as h:
        await h.settle()
        h.engine.pin("deploys", by="ann")
        await head.move(h, "bbbb2222")
        assert h.output == current.Ok((Commit("bbbb2222"), Commit("aaaa1111")))
        assert head.reads == 2


async def test_it_holds_over_a_restart_from_the_first_step_on(harness: HarnessFactory) -> None:
    """Before anything is read: a job that was deployed for the newest value does not run."""
    head = Head("aaaa1111")
    async with harness(lambda: deploy(head.get())) as h:
        await h.settle()
        await head.move(h, "bbbb2222")
        h.engine.pin("head", Commit("aaaa1111"), by="ann")
        await h.settle()
    head.hash = "cccc3333"
    head.monitor = head.monitored()
    head.answers.clear()
    async with harness(lambda: deploy(head.get())) as h:
        assert h.output == current.Ok("deployed aaaa1111")
        assert head.reads == 2
        head.answers.set()
        await h.settle()
        assert h.output == current.Ok("deployed aaaa1111")
        h.engine.unpin("head")
        await h.settle()
        assert h.output == current.Ok("deployed cccc3333")
        assert [build.key for build in h.history()] == ["aaaa1111", "bbbb2222", "cccc3333"]


async def test_it_is_on_disk_once_the_call_has_returned(harness: HarnessFactory) -> None:
    """A kill right after it loses nothing: another connection sees it before any step."""
    head = Head("aaaa1111")
    async with harness(head.get) as h:
        await h.settle()
        h.engine.pin("head", by="ann", reason="a freeze")
        with DatabaseReader.open(h.engine.opened.state.database) as reader:
            (record,) = reader.overrides()
            assert (record.subject, record.value, record.shown) == (
                "head",
                '{"hash":"aaaa1111"}',
                "shop aaaa",
            )
            newest = reader.changes()[0]
            assert newest.summary == "head is pinned at shop aaaa, by ann: a freeze"
        h.engine.unpin("head", by="ann")
        with DatabaseReader.open(h.engine.opened.state.database) as reader:
            assert reader.overrides() == []


async def test_it_ends_by_itself_at_a_time(harness: HarnessFactory) -> None:
    """Then the newest value counts, also if the engine was down at that time."""
    head = Head("aaaa1111")
    async with harness(lambda: deploy(head.get())) as h:
        await h.settle()
        h.engine.pin("head", by="ann", until=BEGIN + HOUR)
        await head.move(h, "bbbb2222")
        assert notes(h) == {"head": "pinned at shop aaaa by ann until 2026-01-01 01:00:00 UTC"}
        await h.advance(HOUR)
        assert h.output == current.Ok("deployed bbbb2222")
        assert changes(h)[-1] == "the pin of head has ended"
        h.engine.pin("head", by="ann", until=BEGIN + 2 * HOUR)
        await h.settle()
    head.hash = "cccc3333"
    head.monitor = head.monitored()
    async with harness(lambda: deploy(head.get()), start=BEGIN + 3 * HOUR) as h:
        await h.settle()
        assert h.output == current.Ok("deployed cccc3333")
        assert h.engine.service(Pins).all() == ()


async def test_an_input_can_be_pinned(harness: HarnessFactory) -> None:
    """At a value that it was set to, or at its default: `to` is a value of its type, or a text."""
    async with harness(lambda: current.Input("replicas", 2).get()) as h:
        h.engine.set_input("replicas", 3)
        await h.settle()
        h.engine.pin("replicas", 2, by="ann")
        await h.settle()
        assert h.output == current.Ok(2)
        h.engine.set_input("replicas", 4)
        await h.settle()
        assert h.output == current.Ok(2)
        h.engine.pin("replicas", "3")
        await h.settle()
        assert h.output == current.Ok(3)
        h.engine.unpin("replicas")
        await h.settle()
        assert h.output == current.Ok(4)


class Poll(current.Builder[str, str]):
    id = "poll"

    def __init__(self, head: Head) -> None:
        self.head = head

    async def build(self, job: current.Job, key: str) -> str:
        await job.start(level=current.Level.HARMLESS)
        self.head.reads += 1
        return self.head.hash


def polled(head: Head) -> current.Current[str]:
    """A head that is looked at every hour, as a commit: as git.clone does it."""

    def as_commit(output: current.Output[str]) -> current.Output[Commit]:
        return current.Ok(Commit(output.value)) if isinstance(output, current.Ok) else output

    def source() -> current.Primitive[Commit]:
        every_hour = current.Schedule(valid_for=HOUR)
        return Poll(head).get("main", schedule=every_hour).map_output(as_commit)

    return deploy(current.component("head", source))


async def test_a_builder_with_a_schedule_can_be_pinned(harness: HarnessFactory) -> None:
    """It is asked as before; the stage has the old result, and the job that has made that."""
    head = Head("aaaa1111")
    async with harness(lambda: polled(head)) as h:
        await h.settle()
        head.hash = "bbbb2222"
        await h.advance(HOUR)
        assert h.output == current.Ok("deployed bbbb2222")
        h.engine.pin("head", "aaaa", by="ann", reason="slow")
        await h.settle()
        assert h.output == current.Ok("deployed aaaa1111")
        first = h.history(op="poll")[0].job_id
        stage = h.engine.opened.live.find("head")
        assert stage is not None
        note = "pinned at shop aaaa by ann: slow"
        assert stage.metadata == current.Metadata(first, note=note, hold=Hold.PINNED)
        assert h.engine.opened.store.uses_by_stage("head")[0].job_id == first
        head.hash = "cccc3333"
        await h.advance(HOUR)
        assert (h.output, head.reads) == (current.Ok("deployed aaaa1111"), 3)
    async with harness(lambda: polled(head)) as h:
        assert h.output == current.Ok("deployed aaaa1111")
        h.engine.unpin("head", by="ann")
        await h.settle()
        assert h.output == current.Ok("deployed cccc3333")


async def test_values_are_chosen_in_several_ways(harness: HarnessFactory) -> None:
    """By the value, its text, a beginning of a text in it, by the change, or by the job."""
    head = Head("aaaa1111")
    async with harness(lambda: polled(head)) as h:
        await h.settle()
        head.hash = "bbbb2222"
        await h.advance(HOUR)
        pins = h.engine.service(Pins)
        first, second = (build.job_id for build in h.history(op="poll"))
        assert [(value.shown, value.job) for value in pins.values("head")] == [
            ("shop bbbb", second),
            ("shop aaaa", first),
        ]
        for way in (Commit("aaaa1111"), "aaaa1111", "shop aaaa", "aa"):
            assert pins.pin("head", to=way).job == first
        assert pins.pin("head", job=first).value == "shop aaaa"
        assert pins.pin("head").value == "shop aaaa"
        h.engine.unpin("head")
        await h.settle()
        assert pins.pin("head").value == "shop bbbb"


async def test_the_value_after_a_change_can_be_chosen(harness: HarnessFactory) -> None:
    """By the number that `why` tells."""
    head = Head("aaaa1111")
    async with harness(head.get) as h:
        await h.settle()
        await head.move(h, "bbbb2222", "aaaa1111", "cccc3333")
        pins = h.engine.service(Pins)
        assert [value.shown for value in pins.values("head")] == [
            "shop cccc",
            "shop aaaa",
            "shop bbbb",
        ]
        assert [value.change for value in pins.values("head", limit=2)] == [4, 3]
        assert pins.pin("head", change=1).value == "shop aaaa"
        assert pins.pin("head", change=2).value == "shop bbbb"


@pytest.mark.parametrize(
    ("path", "given", "message"),
    [
        ("tail", {}, "no stage of the pipeline has the path 'tail': `pycurrent client stages`"),
        ("head", {"to": "dddd"}, "head has had no value 'dddd': it has had shop bbb2, shop bbb1"),
        ("head", {"to": 3}, "head has had no value 3: it has had shop bbb2, shop bbb1"),
        (
            "head",
            {"to": "bb"},
            "'bb' names several values of head: shop bbb2, shop bbb1: give more",
        ),
        ("head", {"change": 77}, "head has had no value change 77: it has had"),
        ("head", {"job": "x"}, "head has had no value job x: it has had"),
        ("head", {"to": "bbb1", "job": "x"}, "say only one of these: the value, the change"),
        ("head", {"until": BEGIN}, "until=2026-01-01 00:00:00 UTC has passed"),
        ("deploy", {}, "deploy can't be pinned, as it is not an input: those are monitors, Inputs"),
        ("after", {}, "after has no value yet, as it waits for other stages: pin those"),
        ("twin", {}, "twin can't be pinned, as only the order in which stages are built tells it"),
        ("twin#2", {}, "twin#2 can't be pinned, as only the order in which stages are built"),
        ("untyped", {}, "untyped can't be pinned, as its values can't be read back: give its"),
        ("nameless", {"to": "bbb1"}, "can't be pinned at 'bbb1': none of its values is recorded"),
        ("broken", {}, "broken can't be pinned at its present value: it has none"),
    ],
)
async def test_what_can_not_be_pinned_is_refused(
    harness: HarnessFactory, path: str, given: dict[str, object], message: str
) -> None:
    """With what to do instead; and nothing changes."""
    head, still = Head("bbb1"), Head("bbb1")

    def broken() -> int:
        raise current.Failure("broken")

    def monitored(name: str, **more: object) -> current.Current[Commit]:
        made = current.Monitor(watch=still.watch, **more)  # type: ignore[call-overload]
        return current.component(name, made.get)

    failed = monitored("broken", read=broken, describe="broken")
    stages = [
        deploy(head.get()),
        current.component("after", lambda _: head.monitor.get(), failed),
        head.get("twin"),
        head.get("twin"),
        monitored("untyped", read=lambda: Commit("bbb1"), describe="untyped"),
        monitored("nameless", read=still.read),
    ]
    async with harness(lambda: current.all([*stages])) as h:
        await h.settle()
        await head.move(h, "bbb2")
        before = changes(h)
        with pytest.raises(UsageError) as refused:
            h.engine.pin(path, **given)  # type: ignore[arg-type]
        assert message in str(refused.value)
        assert (h.engine.service(Pins).all(), changes(h), h.engine.audit()) == ((), before, [])


async def test_only_what_is_pinned_can_be_unpinned(harness: HarnessFactory) -> None:
    """The message tells what is."""
    head = Head("aaaa1111")
    async with harness(head.get) as h:
        await h.settle()
        with pytest.raises(UsageError, match="'head' is not pinned: nothing is pinned"):
            h.engine.unpin("head")
        h.engine.pin("head")
        with pytest.raises(UsageError, match="'tail' is not pinned: pinned are head"):
            h.engine.unpin("tail")


async def test_a_pin_stays_when_its_stage_is_not_needed(harness: HarnessFactory) -> None:
    """It holds once the stage is needed again; and it can be ended meanwhile."""
    head, shown = Head("aaaa1111"), current.Var("shown", value=True)

    def pipeline() -> current.Current[Commit | None]:
        def choose(is_shown: bool) -> current.Current[Commit | None]:
            return head.get().map(lambda c: c) if is_shown else current.constant(None)

        return shown.get().bind(choose)

    async with harness(pipeline) as h:
        await h.settle()
        h.engine.pin("head", by=Asker("ann"))
        await head.move(h, "bbbb2222")
        shown.set(value=False)
        await h.settle()
        assert [pin.output for pin in h.engine.service(Pins).all()] == [None]
        shown.set(value=True)
        await h.settle()
        assert h.output == current.Ok(Commit("aaaa1111"))
        shown.set(value=False)
        await h.settle()
        h.engine.unpin("head")
        shown.set(value=True)
        await h.settle()
        assert h.output == current.Ok(Commit("bbbb2222"))


async def test_a_pin_holds_when_its_stage_is_built_anew(harness: HarnessFactory) -> None:
    """Also within the step, in which the old stage and the new one both live."""
    head, other = Head("aaaa1111"), current.Var("other", 1)

    def pipeline() -> current.Current[Commit]:
        return other.get().bind(lambda _: head.get().map(lambda commit: commit))

    async with harness(pipeline) as h:
        await h.settle()
        h.engine.pin("head", by=Asker("ann"))
        await head.move(h, "bbbb2222")
        seen: list[current.Output[Commit]] = []
        h.engine.listen(lambda step: seen.append(h.output))
        for number in (2, 3, 4):
            other.set(number)
            await h.settle()
        assert set(seen) == {current.Ok(Commit("aaaa1111"))}


async def test_twins_are_told_apart_as_their_paths_are(harness: HarnessFactory) -> None:
    """By their constant arguments; after a restart, too, when one is built before the other."""
    head = Head("aaaa1111")

    @current.component("head")
    def of(branch: str) -> current.Primitive[Commit]:
        return head.monitor.get()

    def pipeline() -> current.Current[object]:
        return current.pair(of("main"), of("next"))

    async with harness(pipeline) as h:
        await h.settle()
        h.engine.pin("head (branch=main)")
        await head.move(h, "bbbb2222")
    head.monitor = head.monitored()
    async with harness(pipeline) as h:
        await h.settle()
        assert h.output == current.Ok((Commit("aaaa1111"), Commit("bbbb2222")))


async def test_a_value_that_can_not_be_read_any_more_is_a_failure(harness: HarnessFactory) -> None:
    """Of the stage, until it is unpinned or pinned again: the newest value would undo the pin."""
    head = Head("aaaa1111")
    async with harness(head.get) as h:
        await h.settle()
        h.engine.pin("head")
        await h.settle()

    async def read() -> int:
        return 7

    monitor = current.Monitor(read=read, watch=head.watch, describe="head of shop")
    async with harness(lambda: current.component("head", monitor.get)) as h:
        await h.settle()
        assert isinstance(h.output, current.Failed)
        assert h.output.message.startswith("the stored value of head of shop ")
        assert h.output.message.endswith(": pin the stage again, or unpin it")
        h.engine.unpin("head")
        await h.settle()
        assert h.output == current.Ok(7)


class Odd:
    """A value whose author reads it back wrongly."""

    def to_json(self) -> object:
        return "odd"

    @classmethod
    def from_json(cls, data: object) -> Odd:
        raise LookupError("no such thing")


async def test_a_value_whose_author_fails_to_read_it_back_is_no_crash(
    harness: HarnessFactory,
) -> None:
    """It is not among those at which a stage can be pinned."""
    head = Head("aaaa1111")

    def read() -> Odd:
        return Odd()

    monitor = current.Monitor(read=read, watch=head.watch, describe="odd")
    async with harness(lambda: current.component("odd", monitor.get)) as h:
        await h.settle()
        assert h.engine.service(Pins).values("odd") == []
        with pytest.raises(UsageError, match="at its present value: that can't be read back"):
            h.engine.pin("odd")
