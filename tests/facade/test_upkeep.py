"""The engine removes by itself what its rules of retention let go."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from pycurrent import Config, Current, Job, Level, Tree, UsageError, builder, keep
from pycurrent.facade.upkeep import Upkeep
from pycurrent.service import Records
from pycurrent.store import DatabaseReader, StateDir
from pycurrent.store.keep import Keep, Part, Retention
from pycurrent.term import Ok, Var
from pycurrent.testing import Harness

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@builder("make", level=Level.HARMLESS)
async def make(job: Job, name: str) -> Tree:
    async with job.tempdir() as folder:
        (folder / "out").write_text(f"text of {name}")
        return await job.save(folder, "out")


class Site:
    """An engine whose one stage makes another tree now and then."""

    def __init__(self, folder: Path, *rules: Keep, gc_every: timedelta | None = DAY) -> None:
        self.folder = folder
        self.name = Var("name", "a")
        config = Config(keep=rules, gc_every=gc_every)
        self.harness = Harness(self.pipeline, state_dir=folder, config=config)

    def pipeline(self) -> Current[object]:
        return make(self.name.get())

    async def make(self, name: str) -> str:
        """Have another tree made; gives the id of its job."""
        self.name.set(name)
        await self.harness.settle()
        (job,) = self.harness.jobs
        return job

    @property
    def upkeep(self) -> Upkeep:
        return self.harness.engine.service(Upkeep)

    @property
    def contents(self) -> list[str]:
        found = (self.folder / "files" / "objects").glob("*/*")
        return sorted(text for path in found if (text := path.read_text()).startswith("text"))


async def test_it_removes_once_a_day_what_no_rule_keeps(tmp_path: Path) -> None:
    """The results that the pipeline wants stay, and it says what it has done."""
    site = Site(tmp_path, keep(days=2))
    async with site.harness as h:
        await site.make("a")
        last = await site.make("b")
        await h.advance(HOUR)
        assert (site.upkeep.runs, len(site.contents)) == (1, 2)
        await h.advance(3 * DAY)
        assert site.upkeep.runs == 4
        assert site.contents == ["text of b"]
        assert [one.part for one in h.engine.opened.store.removed(last)] == []
        assert site.upkeep.next == h.clock.now().replace(hour=0, minute=10) + DAY
        (act,) = h.engine.audit(what="gc")
    assert (act.who, act.subject) == ("the engine", "retention")
    assert act.after is not None
    assert act.after.startswith("removed parts of jobs (log of 1, files of 1); ")


async def test_a_restart_does_not_put_it_off(tmp_path: Path) -> None:
    """It counts from the last run, of whichever engine; and there is other work after a start."""
    async with (first := Site(tmp_path, keep(days=2))).harness as h:
        await h.advance(HOUR)
        ran, now = first.upkeep.last, h.clock.now()
    assert ran is not None
    second = Site(tmp_path, keep(days=2))
    second.harness.clock.set(now + 10 * HOUR)
    async with second.harness:
        assert second.upkeep.next == ran.at + DAY
    third = Site(tmp_path, keep(days=2))
    third.harness.clock.set(now + 100 * HOUR)
    async with third.harness as h:
        assert third.upkeep.next == h.clock.now() + timedelta(minutes=10)


@pytest.mark.parametrize("config", [Config(), Config(keep=[keep(days=1)], gc_every=None)])
async def test_without_rules_or_a_time_nothing_is_begun(tmp_path: Path, config: Config) -> None:
    """The rules are recorded for `pycurrent gc` all the same, and forgotten with the engine that
    has none.
    """
    for given in (Config(keep=[keep(days=3)], gc_every=None), config):
        async with Harness(lambda: make("a"), state_dir=tmp_path, config=given) as h:
            await h.settle()
            assert h.clock.next_timer is None
    with DatabaseReader.open(StateDir.read(tmp_path).database) as reader:
        recorded = Retention.parse(reader.setting("retention"))
    assert recorded.rules == config.keep


async def test_it_waits_for_a_quiet_time_but_not_for_long(tmp_path: Path) -> None:
    """While something is at work it begins only after a quarter of the time between two runs."""
    site = Site(tmp_path, keep(days=2))
    async with site.harness as h:
        await h.settle()
        with h.engine.opened.busy():
            h.clock.move(HOUR)
            await h.until(lambda: h.clock.next_timer is not None)
            assert site.upkeep.runs == 0
            for _ in range(6 * 120 + 1):
                h.clock.move(timedelta(seconds=30))
                await h.until(lambda: h.clock.next_timer is not None)
            await h.until(lambda: site.upkeep.runs == 1)


async def test_a_dry_run_changes_nothing(tmp_path: Path) -> None:
    """And says what would go, beside the wanted results."""
    site = Site(tmp_path, keep(last=0), gc_every=None)
    async with site.harness:
        old = await site.make("a")
        await site.make("b")
        report = await site.upkeep.would_remove()
        assert {key: taken.jobs for key, taken in report.taken.items()} == {
            ("keep(last=0)", part, "make"): 1 for part in (Part.LOG, Part.FILES)
        }
        assert len(site.contents) == 2
        assert site.harness.engine.opened.store.removed(old) == []


async def test_at_its_end_it_records_the_wanted_keys(tmp_path: Path) -> None:
    """For `pycurrent gc`: they hold until another engine runs, even if that is killed."""

    def wanted() -> set[str] | None:
        with Records.open(tmp_path) as records:
            tells = records.wanted()
            return None if tells is None else {key for key in "abx" if tells("make", digest[key])}

    site, digest = Site(tmp_path, keep(days=1)), {"x": "no such digest"}
    async with site.harness as h:
        for name in "ab":
            job = h.engine.opened.store.job(await site.make(name))
            assert job is not None
            digest[name] = job.key_digest
        assert wanted() is None
    assert wanted() == {"b"}
    with StateDir.open(tmp_path):
        assert wanted() is None
    async with Site(tmp_path, keep(days=1)).harness as h:
        await h.settle()
        copy = tmp_path / "killed"
        shutil.copytree(tmp_path / "db", copy / "db")
        shutil.copy(tmp_path / "version", copy)
    with Records.open(copy) as records:
        assert records.wanted() is None


async def test_removed_files_are_made_again_where_they_are_needed(tmp_path: Path) -> None:
    """Their result still holds: only a job that places them finds out."""
    ran: list[str] = []

    @builder("read", level=Level.HARMLESS)
    async def read(job: Job, tree: Tree) -> str:
        async with job.tempdir() as folder:
            await job.put(tree, folder)
            text = (folder / "out").read_text()
        ran.append(text)
        return text

    class Reading(Site):
        def pipeline(self) -> Current[object]:
            return read(make(self.name.get()))

    site = Reading(tmp_path, keep(last=0), gc_every=None)
    async with site.harness as h:
        await h.settle()
        site.name.set("b")
        await h.settle()
        await site.upkeep.collect()
        assert site.contents == ["text of b"]
        site.name.set("a")
        await h.settle()
        assert (h.output, ran) == (Ok("text of a"), ["text of a", "text of b"])
        h.find("read").rebuild()
        await h.settle()
        assert (h.output, ran) == (Ok("text of a"), ["text of a", "text of b", "text of a"])
        assert site.contents == ["text of a", "text of b"]


async def test_an_unknown_operation_is_a_problem(tmp_path: Path) -> None:
    """That people are told of, until it is gone."""
    site = Site(tmp_path, keep(op="mkae", days=1))
    async with site.harness as h:
        await site.make("a")
        await h.advance(HOUR)
        (problem,) = h.engine.problems
    assert problem.message == (
        'retention: no job of an operation in keep(op="mkae", days=1) is recorded'
    )


async def test_it_ends_with_the_engine(tmp_path: Path) -> None:
    """Also in the middle of a removal; the next one does the rest."""
    site = Site(tmp_path, keep(last=0), gc_every=HOUR)
    async with site.harness as h:
        for name in "abc":
            await site.make(name)
        h.clock.move(HOUR)
        await h.until(lambda: site.upkeep.is_at_work or site.upkeep.runs)
    assert not site.upkeep.is_at_work
    again = Site(tmp_path, keep(last=0))
    async with again.harness as h:
        again.name.set("c")
        await h.settle()
        await again.upkeep.collect()
        assert again.contents == ["text of c"]


async def test_a_file_that_can_not_be_removed_is_a_problem(tmp_path: Path) -> None:
    """Until it is gone."""
    site = Site(tmp_path, keep(last=0))
    async with site.harness as h:
        for name in "ab":
            await site.make(name)
        objects = tmp_path / "files" / "objects"
        stray = objects / "ab" / ("0" * 62)
        stray.mkdir(parents=True)
        await h.advance(HOUR)
        (problem,) = h.engine.problems
        assert str(tmp_path / "files") in problem.message
        stray.rmdir()
        await h.advance(DAY)
        assert list(h.engine.problems) == []
        assert site.contents == ["text of b"]


@pytest.mark.parametrize("given", [timedelta(0), "24h"])
def test_a_time_that_is_none(given: object) -> None:
    """Is an error that says what is expected."""
    with pytest.raises(UsageError, match="gc_every= takes a time above 0, or None"):
        Config(gc_every=given)  # type: ignore[arg-type]
