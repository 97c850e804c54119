"""Results of earlier runs of the engine that the next one is told to make again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from pycurrent.cache import builder, cause_of
from pycurrent.cache.cause import Asked
from pycurrent.engine import Config, Job, Level
from pycurrent.errors import UsageError
from pycurrent.term import Current, Failure, all
from pycurrent.testing import HarnessFactory


class Shop:
    """Two operations, of which one fails for a key."""

    def __init__(self) -> None:
        self.runs: list[str] = []

    def pipeline(self) -> Current[None]:
        @builder("test", level=Level.HARMLESS)
        async def test(job: Job, key: str) -> str:
            self.runs.append(f"test {key}")
            if key == "bad":
                raise Failure("no")
            return key

        @builder("pack", level=Level.HARMLESS)
        async def pack(job: Job, key: str) -> str:
            self.runs.append(f"pack {key}")
            return key

        return all([test("web"), test("bad"), pack("web"), pack("shop")])


@pytest.mark.parametrize(
    ("patterns", "again"),
    [
        ((), set()),
        (["failed"], {"test bad"}),
        (["test"], {"test web", "test bad"}),
        (["pack s*"], {"pack shop"}),
        (["* web"], {"test web", "pack web"}),
        (["failed", "pack web"], {"test bad", "pack web"}),
        (["*"], {"test web", "test bad", "pack web", "pack shop"}),
        (["tes", "pack", "other*"], {"pack web", "pack shop"}),
    ],
)
async def test_results_that_fit_are_made_again_once(
    harness: HarnessFactory, patterns: Iterable[str], again: set[str]
) -> None:
    """In the engine that is told so, not in the next one; and the cause says by what."""
    shop = Shop()
    async with harness(shop.pipeline) as h:
        await h.settle()
        assert len(shop.runs) == 4
    shop.runs.clear()
    async with harness(shop.pipeline, config=Config(rebuild=patterns)) as h:
        await h.settle()
        assert set(shop.runs) == again
        assert len(shop.runs) == len(again)
        for build in h.history():
            if build.build == 1:
                record = h.engine.opened.store.job(build.job_id)
                assert record is not None
                cause = cause_of(record)
                assert isinstance(cause, Asked)
                assert str(cause.reason).startswith("run --rebuild ")
    async with harness(shop.pipeline) as h:
        await h.settle()
        assert len(shop.runs) == len(again)


async def test_patterns_that_fit_nothing_are_known(harness: HarnessFactory) -> None:
    """So that a slip is told."""
    shop = Shop()
    async with harness(shop.pipeline) as h:
        await h.settle()
    config = Config(rebuild=["tset", "pack", "failed"])
    async with harness(shop.pipeline, config=config) as h:
        await h.settle()
        assert config.rebuilds.unmatched == {"tset"}


@pytest.mark.parametrize("patterns", ["failed", [""], [3], [" "]])
def test_what_selects_nothing_is_refused(patterns: Any) -> None:
    """A text alone would be taken letter by letter."""
    with pytest.raises(UsageError, match=r"^rebuild= takes"):
        Config(rebuild=patterns)
