"""While nothing can be recorded, results and acts are kept, and nothing new begins."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta

import pytest

from pycurrent.cache import Asked, ResultCache, cause_of
from pycurrent.store import JobEnd, StoreBusy
from pycurrent.term import Current, Failed, Ok, Var, all
from pycurrent.testing import Harness

from .workshop import Make, OpenEngine, PutAuto, Workshop, make, put

MINUTE = timedelta(minutes=1)


@contextmanager
def locked(h: Harness) -> Iterator[None]:
    """Another program is in the middle of a transaction: commits raise StoreBusy."""
    store = h.engine.service(ResultCache).store
    path = h.engine.opened.state.database
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        store.remember("made", "busy")
        with pytest.raises(StoreBusy):
            store.commit()
        yield
        other.rollback()


async def test_a_rebuild_is_not_lost(engine: OpenEngine, shop: Workshop) -> None:
    """It begins once it can be recorded, with who asked for it."""
    async with engine(lambda: make(Make(shop))) as h:
        await h.settle()
        shop.work.succeed()
        await h.settle()
        with locked(h):
            new = h.find("make a").rebuild(by="ann")
            await h.advance(MINUTE)
            assert shop.at_work == []
            assert h.output == Ok("done"), "no step is taken"
        await h.advance(MINUTE)
        assert shop.work.job.id == new
        record = h.engine.service(ResultCache).store.job(new)
        assert record is not None
        assert cause_of(record) == Asked("ann")


async def test_the_record_of_a_job_is_seen_before_it_is_written(
    engine: OpenEngine, shop: Workshop
) -> None:
    """As it is then: what people ask of the job finds it."""
    async with engine(lambda: make(Make(shop))) as h:
        await h.settle()
        store = h.engine.service(ResultCache).store
        with locked(h):
            shop.work.fail("too bad")
            await h.settle()
            record = store.job(h.find("make a").id)
            assert record is not None
            assert (record.ended, record.outcome) == (JobEnd.FAILED, "too bad")
            record.outcome = "the reader's own"
        await h.advance(MINUTE)
        assert h.output == Failed("too bad")
        assert [build.outcome for build in h.history()] == ["too bad"]


async def test_what_was_given_up_meanwhile_is_recorded_as_such(
    engine: OpenEngine, shop: Workshop
) -> None:
    """Each job once, in the order of their creation, and the last value is the one that is set."""
    value = Var("value", "one")

    def pipeline() -> Current[object]:
        return all([put(PutAuto(shop), value.get())])

    async with engine(pipeline) as h:
        await h.settle()
        with locked(h):
            value.set("two")
            await h.advance(MINUTE)
            value.set("three")
            await h.advance(MINUTE)
            assert [work.value for work in shop.at_work] == ["one"]
        await h.advance(MINUTE)
        assert shop.work.value == "three"
        shop.work.succeed()
        await h.advance(MINUTE)
        history = h.engine.service(ResultCache).store.history(ends={*JobEnd})
        assert [(job.value, job.ended) for job in reversed(history)] == [
            ('"one"', JobEnd.SUPERSEDED),
            ('"three"', JobEnd.OK),
        ]


async def test_the_words_for_a_key_are_those_of_its_run(engine: OpenEngine, shop: Workshop) -> None:
    """A user that comes later, and describes the work in other words, changes nothing."""

    class Described(Make):
        id = "described"

        def describe(self, key: str) -> str:
            return f"{self.context} {key}"

    wanted = Var("wanted", False)

    def pipeline() -> Current[object]:
        later = make(Described(shop, "later"))
        return all(
            [make(Described(shop, "first")), wanted.get().bind(lambda y: later if y else all([]))]
        )

    async with engine(pipeline) as h:
        await h.settle()
        shop.work.succeed()
        await h.settle()
        wanted.set(True)
        await h.settle()
        assert [handle.description for handle in h.jobs.values()] == ["first a"]
