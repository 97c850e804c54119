"""Why a job was run: recorded with it, and told in the first lines of its log."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest
from msgspec.structs import replace

from pycurrent.cache import Asked, Cause, ResultCache, ResultLost, Schedule, because, cause_of
from pycurrent.cache.cause import (
    Expired,
    Gone,
    Interrupted,
    LeftUnsettled,
    MachineFailed,
    NeverBuilt,
    Retired,
    Retried,
    Unreadable,
    ValueChanged,
    VersionChanged,
    cause_text,
)
from pycurrent.cache.codec import UnreadableValue
from pycurrent.engine import Config, Level
from pycurrent.store import JobEnd, JobRecord
from pycurrent.term import Current, Failed, Ok, Var, all
from pycurrent.testing import Harness
from pycurrent.testing.clock import START

from .workshop import SECOND, Make, OpenEngine, Put, PutAuto, Workshop, make, make_while, put


def guarded(pipeline: Callable[[], Current[Any]], state_dir: Path) -> Harness:
    """An engine whose jobs wait for confirmation."""
    return Harness(pipeline, state_dir=state_dir, config=Config(confirm=Level.AVERAGE))


def causes(h: Harness) -> list[Cause | None]:
    """Those of all jobs, in the order of their creation."""
    found = h.engine.service(ResultCache).store.history(ends={None, *JobEnd})
    return [cause_of(record) for record in reversed(found)]


def why(h: Harness, description: str) -> str:
    """What the log of a job says of its cause."""
    lines = [line for line in h.log(description).splitlines() if line.startswith("Runs because ")]
    return lines[0].removeprefix("Runs because ") if lines else ""


def test_every_cause_has_words() -> None:
    """And each comes back from its text as it was."""
    examples: list[Cause] = [
        NeverBuilt(),
        ValueChanged("1", "2"),
        ValueChanged(None, "2"),
        Expired(START),
        Asked("ann", "it is flaky"),
        Asked(),
        Interrupted("2026-11-22/084703-put-0a1b2c"),
        LeftUnsettled("2026-11-22/084703-put-0a1b2c"),
        Retried("2026-11-22/084703-put-0a1b2c", 2, 3, "5"),
        Retried("2026-11-22/084703-put-0a1b2c", 1, 3),
        MachineFailed("no space left on device", 2),
        MachineFailed("out of memory", 2, Retried("2026-11-22/084703-put-0a1b2c", 2, 3)),
        ResultLost("the mirror of web"),
        Unreadable("the format changed"),
        VersionChanged("1", "2"),
        VersionChanged(None, "2"),
        VersionChanged("1", None),
        Gone(),
        Retired(),
    ]
    assert {type(cause) for cause in examples} == set(get_args(Cause))
    assert len({because(cause) for cause in examples}) == len(examples)
    for cause in examples:
        record = JobRecord("j", "put", "k", "k", None, None, 0, START, cause_text(cause))
        assert cause_of(record) == cause
    assert cause_of(replace(record, cause=None)) is None
    assert because(Asked("ann", "it is flaky")) == "ann asked for a rebuild: it is flaky"
    assert because(Asked()) == "somebody asked for a rebuild"


def cause_in(text: str) -> Cause | None:
    """The cause in a record that has this text for it."""
    return cause_of(JobRecord("j", "put", "k", "k", None, None, 0, START, text))


def test_a_cause_of_an_earlier_version_is_read() -> None:
    """Whatever the order of its fields; those that it does not have yet have their defaults."""
    text = '{"$Expired":{"finished":"2026-01-02T03:04:05+00:00"}}'
    assert cause_in(text) == Expired(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert cause_in('{"$Asked":{"by":"ann"}}') == Asked("ann")
    text = '{"$MachineFailed":{"attempt":2,"retry":{"attempt":1,"job":"j","of":3},"why":"full"}}'
    assert cause_in(text) == MachineFailed("full", 2, Retried("j", 1, 3))


@pytest.mark.parametrize(
    "text",
    [
        '{"$Full":{}}',
        '{"$Asked":{"by":1}}',
        '{"$Asked":{"by":"ann","where":"here"}}',
        '{"$Retried":{}}',
        '{"$Gone":{},"$Retired":{}}',
        '"$Gone"',
        "{",
    ],
)
def test_a_cause_of_a_later_version_is_refused(text: str) -> None:
    """It says which."""
    with pytest.raises(UnreadableValue, match=re.escape(text)):
        cause_in(text)


def test_a_cause_may_name_a_file_whose_name_is_not_utf_8() -> None:
    """It is recorded as text that any database takes."""
    cause = MachineFailed("no space left for caf\udce9", 2)
    assert cause_text(cause).isascii()
    assert cause_in(cause_text(cause)) == cause


async def test_the_first_build_needs_no_reason(engine: OpenEngine, shop: Workshop) -> None:
    """It is recorded; the log says nothing of it."""
    async with engine(lambda: make(Make(shop))) as h:
        await h.settle()
        assert causes(h) == [NeverBuilt()]
        assert why(h, "make a") == ""


async def test_who_asked_for_a_rebuild_is_told(engine: OpenEngine, shop: Workshop) -> None:
    """And why; also where it is done later, as nobody needs the result then."""
    wanted = Var("wanted", True)
    async with engine(make_while(wanted, Make(shop))) as h:
        await h.settle()
        shop.work.succeed()
        await h.settle()
        handle = h.find("make a")
        handle.rebuild(by="ann", reason="it is flaky")
        await h.settle()
        assert causes(h)[-1] == Asked("ann", "it is flaky")
        assert why(h, "make a") == "ann asked for a rebuild: it is flaky"
        shop.work.succeed()
        wanted.set(False)
        await h.settle()
        handle.rebuild(by="bob")
        wanted.set(True)
        await h.settle()
        assert causes(h)[-1] == Asked()
        assert (handle.key, handle.description) == ("a", "make a")


async def test_a_value_that_changes_is_told(engine: OpenEngine, shop: Workshop) -> None:
    """The old one and the new one, whether the old run was done, failed, or was cancelled."""
    value = Var("value", "one")
    op = PutAuto(shop)
    async with engine(lambda: put(op, value.get())) as h:
        await h.settle()
        shop.work.succeed()
        await h.settle()
        value.set("two")
        await h.settle()
        assert why(h, "put-auto k two") == "one changed to two"
        shop.stubborn = True
        value.set("three")
        await h.settle()
        value.set("four")
        await h.settle()
        shop.work.succeed()
        await h.settle()
        shop.stubborn = False
        assert causes(h) == [NeverBuilt(), ValueChanged("one", "two"), ValueChanged("two", "four")]


async def test_a_change_is_told_up_to_the_value_that_is_set(
    engine: OpenEngine, shop: Workshop
) -> None:
    """Whatever users wanted meanwhile, as long as they were in conflict."""
    value, other = Var("value", "one"), Var("other", "one")
    op = Put(shop)
    async with engine(lambda: all([put(op, value.get()), put(op, other.get())])) as h:
        await h.settle()
        value.set("two")
        other.set("three")
        await h.settle()
        shop.work.fail()
        await h.settle()
        value.set("four")
        other.set("four")
        await h.settle()
        assert causes(h) == [NeverBuilt(), ValueChanged("one", "four")]


async def test_a_failure_that_is_dropped_is_followed_by_the_new_value(
    engine: OpenEngine, shop: Workshop
) -> None:
    """The value that failed is the old one."""
    value = Var("value", "one")
    async with engine(lambda: put(Put(shop), value.get())) as h:
        await h.settle()
        value.set("two")
        await h.settle()
        shop.work.fail()
        await h.settle()
        assert causes(h) == [NeverBuilt(), ValueChanged("one", "two")]


async def test_a_run_that_never_began_leaves_its_cause(tmp_path: Path, shop: Workshop) -> None:
    """To the one that takes its place."""
    value = Var("value", "one")
    async with guarded(lambda: put(Put(shop), value.get()), tmp_path) as h:
        await h.settle()
        value.set("two")
        await h.settle()
        assert causes(h) == [NeverBuilt(), NeverBuilt()]


async def test_an_expired_result_is_told(engine: OpenEngine, shop: Workshop) -> None:
    """With the time at which it was made."""
    async with engine(lambda: make(Make(shop), schedule=Schedule(5 * SECOND))) as h:
        await h.settle()
        shop.work.succeed()
        await h.settle()
        await h.advance(5 * SECOND)
        assert causes(h)[-1] == Expired(START)
        assert why(h, "make a") == "the result of 2026-01-01 00:00:00 UTC expired"


async def test_an_interrupted_run_is_named(engine: OpenEngine, shop: Workshop) -> None:
    """By the next engine, for builders and publishers, known before or not."""
    value = Var("value", "one")

    def pipeline() -> Current[object]:
        return all([make(Make(shop)), put(Put(shop), value.get())])

    async with engine(pipeline) as h:
        await h.settle()
        shop.of("k").succeed()
        await h.settle()
        value.set("two")
        await h.settle()
        made, set_to = h.find("make a").id, h.find("put k two").id
    async with engine(pipeline) as h:
        await h.settle()
        assert causes(h)[-2:] == [Interrupted(made), Interrupted(set_to)]
        assert why(h, "make a") == f"job {made} was interrupted"


async def test_a_run_that_was_given_up_is_named(engine: OpenEngine, shop: Workshop) -> None:
    """After a restart nobody knows what it left; nor if it is wanted again."""
    value, wanted = Var("value", "one"), Var("wanted", True)

    def pipeline() -> Current[object]:
        return wanted.get().bind(lambda yes: put(PutAuto(shop), value.get()) if yes else all([]))

    async with engine(pipeline) as h:
        await h.settle()
        shop.work.succeed()
        await h.settle()
        value.set("two")
        await h.settle()
        given_up = h.find("put-auto k two").id
        wanted.set(False)
        await h.settle()
        wanted.set(True)
        await h.settle()
        assert causes(h)[-1] == LeftUnsettled(given_up)


async def test_what_a_plugin_finds_lost_is_told(engine: OpenEngine, shop: Workshop) -> None:
    """It says what is gone; and can ask what is known."""
    op = Make(shop)
    async with engine(lambda: make(op)) as h:
        await h.settle()
        cache = h.engine.service(ResultCache)
        assert cache.known(op, "a") is None
        shop.work.succeed("made")
        await h.settle()
        assert cache.known(op, "a") == Ok("made")
        cache.invalidate(op, "a", ResultLost("the mirror of web"))
        await h.settle()
        assert why(h, "make a") == "the mirror of web is gone"
        shop.work.fail("too bad")
        await h.settle()
        assert cache.known(op, "a") == Failed("too bad")
        assert cache.known(op, "a", ok=True) == Ok("made")
        assert cache.known(op, "b", ok=True) is None


@pytest.mark.parametrize(
    ("reason", "by", "message"),
    [
        ("it hangs", None, "Cancelled: it hangs"),
        ("it hangs", "ann", "Cancelled: by ann: it hangs"),
        ("", "ann", "Cancelled: by ann"),
    ],
)
async def test_a_cancellation_names_who_and_why(
    engine: OpenEngine, shop: Workshop, reason: str, by: str | None, message: str
) -> None:
    """In the failure, and in the log."""
    async with engine(lambda: make(Make(shop))) as h:
        await h.settle()
        h.find("make a").cancel(reason, by=by)
        await h.settle()
        assert h.output == Failed(message)
        assert message in h.log("make a")


@pytest.mark.parametrize(
    ("by", "reason", "line"),
    [(None, None, None), ("ann", None, "Approved by ann"), ("ann", "ok", "Approved by ann: ok")],
)
async def test_an_approval_names_who_and_why(
    shop: Workshop,
    tmp_path: Path,
    by: str | None,
    reason: str | None,
    line: str | None,
) -> None:
    """In the log, where that is known."""
    async with guarded(lambda: make(Make(shop)), tmp_path) as h:
        await h.settle()
        h.find("make a").approve(by=by, reason=reason)
        await h.settle()
        assert ("Approved" in h.log("make a")) is (line is not None)
        assert line is None or line in h.log("make a")
        h.find("make a").approve(by="bob", reason="too late")
        await h.settle()
        assert "bob" not in h.log("make a")
