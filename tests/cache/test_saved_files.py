"""Files that jobs save and place, and what happens when they are lost."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycurrent.cache import builder, cause_of
from pycurrent.cache.cause import MachineFailed, ResultLost
from pycurrent.engine import Job, Level, Pool
from pycurrent.files import File, FileStore, Tree
from pycurrent.files.collecting import sweeping
from pycurrent.files.store import Writer
from pycurrent.store import StateDir
from pycurrent.store.gc import GcMode, GcReport, collect_garbage
from pycurrent.term import Current, Failed, FailureKind, Ok, Var, all, constant
from pycurrent.testing import Harness

from ..effort import examples


@dataclass
class Shop:
    """Makers, which save a tree, and users, which place it."""

    state: Path
    texts: Callable[[str], str] = "text of {}".format
    ran: Counter[str] = field(default_factory=Counter)

    def made(self, name: str | Current[str]) -> Current[Tree]:
        @builder("make", level=Level.HARMLESS)
        async def make(job: Job, name: str) -> Tree:
            self.ran[f"make {name}"] += 1
            async with job.tempdir() as folder:
                (folder / "out").mkdir()
                (folder / "out" / "own").write_text(self.texts(name))
                (folder / "out" / "shared").write_text("the same in all")
                return await job.save(folder, "out/**")

        return make(name)

    def used(self, tree: Current[Tree] | Tree, name: str, pool: Pool | None = None) -> Current[str]:
        @builder("use", level=Level.HARMLESS, pool=pool)
        async def use(job: Job, tree: Tree, name: str) -> str:
            self.ran[f"use {name}"] += 1
            async with job.tempdir() as folder:
                await job.put(tree, folder / "in")
                return (folder / "in" / "out" / "own").read_text()

        return use(tree, name)

    @property
    def objects(self) -> list[Path]:
        return sorted(path for path in (self.state / "files" / "objects").rglob("*/*"))

    def lose(self, text: str) -> None:
        """Remove the content that is this text."""
        (lost,) = [path for path in self.objects if path.read_bytes() == text.encode()]
        lost.unlink()


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def again(h: Harness, op: str) -> None:
    """Have all results of an operation made again."""
    for handle in list(h.jobs.values()):
        if f"-{op}-" in handle.id:
            handle.rebuild()


async def test_what_one_job_saves_another_places(tmp_path: Path, shop: Shop) -> None:
    """A tree is a result, a value and a key: known after a restart."""
    tree = None
    for _ in range(2):
        async with Harness(lambda: shop.used(shop.made("a"), "u"), state_dir=tmp_path) as h:
            await h.settle()
            assert h.output == Ok("text of a")
            (record,) = h.history("make")
            assert tree in (None, record.outcome)
            tree = record.outcome
    assert shop.ran == {"make a": 1, "use u": 1}


async def test_equal_content_is_an_equal_key(tmp_path: Path, shop: Shop) -> None:
    """What depends on a tree is not run again for another one with the same content."""
    name = Var("name", "a")
    shop.texts = lambda _: "always the same"
    async with Harness(lambda: shop.used(shop.made(name.get()), "u"), state_dir=tmp_path) as h:
        await h.settle()
        name.set("b")
        await h.settle()
    assert shop.ran == {"make a": 1, "make b": 1, "use u": 1}


async def test_the_log_says_what_was_saved_and_placed(tmp_path: Path, shop: Shop) -> None:
    """With the number of files, and their size."""
    async with Harness(lambda: shop.used(shop.made("a"), "u"), state_dir=tmp_path) as h:
        await h.settle()
        made, used = (h.log(title) for title in ("make a", "use"))
    assert "Saved out/**: 2 files (24 B)\n" in made
    assert "Placed 2 files (24 B) in " in used


@pytest.mark.parametrize("required", [False, True])
async def test_a_pattern_that_matches_nothing_is_told(tmp_path: Path, required: bool) -> None:
    """In the log; where it is required that is a failure."""

    @builder("make", level=Level.HARMLESS)
    async def make(job: Job, key: str) -> Tree:
        async with job.tempdir() as folder:
            (folder / "a").write_text("x")
            return await job.save(folder, "a", "dist/**", required=required)

    async with Harness(lambda: make("k"), state_dir=tmp_path) as h:
        await h.settle()
        log = h.log("make")
    if required:
        assert isinstance(h.output, Failed)
        assert h.output.message.endswith("matches dist/**")
    else:
        assert isinstance(h.output, Ok)
        assert " matches dist/**\n" in log


async def test_lost_files_are_made_again_once(tmp_path: Path, shop: Shop) -> None:
    """However many jobs need them: these wait for that, and all others go on."""

    def pipeline() -> Current[None]:
        tree = shop.made("a")
        return all({name: shop.used(tree, name) for name in ("u", "v", "w")})

    async with Harness(pipeline, state_dir=tmp_path) as h:
        await h.settle()
        shop.ran.clear()
        shop.lose("text of a")
        for title in ("u", "v"):
            next(job for job in h.jobs.values() if job.description.endswith(title)).rebuild()
        await h.settle()
        assert h.output == Ok(None)
        causes = [cause_of(record) for record in h.engine.opened.store.history("make")]
    assert shop.ran == {"make a": 1, "use u": 2, "use v": 2}
    assert causes[0] == ResultLost("out/own, which it had saved,")


async def test_a_job_that_finds_a_loss_gives_back_its_pool(tmp_path: Path, shop: Shop) -> None:
    """Its maker may need it."""
    pool = Pool("one", 1)
    async with Harness(lambda: shop.used(shop.made("a"), "u", pool), state_dir=tmp_path) as h:
        await h.settle()
        shop.lose("the same in all")
        again(h, "use")
        await h.settle()
        assert h.output == Ok("text of a")
        last, lost, _ = h.engine.opened.store.history("use")
        assert isinstance(cause_of(last), MachineFailed)
        assert lost.ok is None


async def test_the_user_of_files_that_come_out_differently_gets_the_new_ones(
    tmp_path: Path, shop: Shop
) -> None:
    """Another tree is another key."""
    count = iter(range(10))
    shop.texts = lambda name: f"{name} {next(count)}"
    async with Harness(lambda: shop.used(shop.made("a"), "u"), state_dir=tmp_path) as h:
        await h.settle()
        assert h.output == Ok("a 0")
        shop.lose("a 0")
        again(h, "use")
        await h.settle()
        assert h.output == Ok("a 1")


async def test_files_that_nobody_makes_are_a_failure_of_the_infrastructure(
    tmp_path: Path, shop: Shop
) -> None:
    """It is not recorded, so it is tried again after a restart."""
    async with Harness(lambda: shop.made("a"), state_dir=tmp_path) as h:
        await h.settle()
        assert isinstance(h.output, Ok)
        tree = h.output.value
    shop.lose("text of a")
    async with Harness(lambda: shop.used(constant(tree), "u"), state_dir=tmp_path) as h:
        await h.settle()
        assert isinstance(h.output, Failed)
        assert h.output.kind is FailureKind.INFRA
        assert h.output.message == (
            "out/own is missing, and no stage of the pipeline makes 2 files (24 B) again: rebuild"
            " the stage that has made it"
        )


async def test_a_file_is_saved_and_placed_by_itself(tmp_path: Path) -> None:
    """With its permissions."""

    @builder("make", level=Level.HARMLESS)
    async def make(job: Job, key: str) -> File:
        async with job.tempdir() as folder:
            (folder / "run").write_text(key)
            (folder / "run").chmod(0o755)
            return await job.save_file(folder / "run")

    @builder("use", level=Level.HARMLESS)
    async def use(job: Job, file: File) -> str:
        async with job.tempdir() as folder:
            await job.put(file, folder / "x" / "run")
            return f"{(folder / 'x' / 'run').read_text()} {(folder / 'x' / 'run').stat().st_mode:o}"

    async with Harness(lambda: use(make("text")), state_dir=tmp_path) as h:
        await h.settle()
        assert h.output == Ok("text 100755")


@given(seed=st.integers(0, 10**6))
@settings(max_examples=examples(15), deadline=None)
def test_whatever_is_lost_a_pipeline_ends_right(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """Contents are removed and damaged at random, and jobs run again."""
    asyncio.run(_lose_at_random(tmp_path_factory.mktemp("state"), random.Random(seed)))


async def _lose_at_random(state: Path, chance: random.Random) -> None:
    shop, pool = Shop(state), Pool("two", 2)

    def pipeline() -> Current[None]:
        trees = {name: shop.made(name) for name in "abc"}
        return all(
            {
                f"{name}{n}": shop.used(tree, f"{name}{n}", pool)
                for name, tree in trees.items()
                for n in "12"
            }
        )

    async with Harness(pipeline, state_dir=state) as h:
        await h.settle()
        for _ in range(4):
            for path in shop.objects:
                match chance.randrange(6):
                    case 0:
                        path.unlink()
                    case 1:
                        path.chmod(0o600)
                        path.write_bytes(b"junk")
                    case _:
                        pass
            for handle in list(h.jobs.values()):
                if chance.random() < 0.6:
                    handle.rebuild()
            await h.settle()
            assert h.output == Ok(None)
            results = {
                record.key: record.outcome for record in reversed(h.history("use")) if record.ok
            }
            assert sorted(set(results.values())) == ["text of a", "text of b", "text of c"]


# Garbage


def gc(state: Path, *, mode: GcMode = GcMode.DELETE, days: int = 0) -> GcReport:
    with StateDir.open(state) as opened:
        return collect_garbage(
            opened,
            older_than=timedelta(days=days),
            now=datetime(2030, 1, 1, tzinfo=UTC),
            mode=mode,
            sweep=sweeping(FileStore(opened.files)),
        )


async def test_gc_removes_what_no_job_that_is_kept_has_saved(tmp_path: Path, shop: Shop) -> None:
    """What it shares with others stays; a dry run counts the same, and removes nothing."""
    texts = iter(["first", "second"])
    shop.texts = lambda _: next(texts)
    async with Harness(lambda: shop.made("a"), state_dir=tmp_path) as h:
        await h.settle()
        again(h, "make")
        await h.settle()
    before = shop.objects
    dry = gc(tmp_path, mode=GcMode.DRY_RUN)
    assert shop.objects == before
    report = gc(tmp_path)
    assert (report.contents, report.content_bytes) == (dry.contents, dry.content_bytes)
    assert report.contents == 2  # the text and the listing
    contents = {path.read_bytes() for path in shop.objects}
    assert b"second" in contents
    assert b"the same in all" in contents
    assert b"first" not in contents
    assert gc(tmp_path).contents == 0


async def test_gc_keeps_what_the_last_results_have_saved(tmp_path: Path, shop: Shop) -> None:
    """Whatever their age: a pipeline that is started again places it."""
    async with Harness(lambda: shop.used(shop.made("a"), "u"), state_dir=tmp_path) as h:
        await h.settle()
    gc(tmp_path)
    async with Harness(lambda: shop.used(shop.made("a"), "other"), state_dir=tmp_path) as h:
        await h.settle()
        assert h.output == Ok("text of a")
    assert shop.ran["make a"] == 1


async def test_gc_removes_what_has_no_name(tmp_path: Path, shop: Shop) -> None:
    """A killed engine may leave such contents."""
    async with Harness(lambda: shop.made("a"), state_dir=tmp_path) as h:
        await h.settle()
    stray = tmp_path / "files" / "objects" / "ab" / ("c" * 62)
    stray.parent.mkdir(exist_ok=True)
    stray.write_text("stray")
    assert gc(tmp_path, days=30).contents == 1
    assert not stray.exists()


async def test_nothing_is_removed_while_a_job_saves(tmp_path: Path, shop: Shop) -> None:
    """The collector waits until it is recorded, and then leaves it."""
    async with Harness(lambda: shop.made("a"), state_dir=tmp_path) as h:
        await h.settle()
        store = FileStore(tmp_path / "files")
        held = store.hold(Event())
        collecting = asyncio.create_task(asyncio.to_thread(_swept, store))
        done, _ = await asyncio.wait([collecting], timeout=0.2)
        assert not done
        os.close(held)
        assert (await collecting)[0] > 0


class SlowToClean(FileStore):
    """Removes leftovers until somebody writes beside that, or for a while if nobody does."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.is_clean = Event()
        self.writes_beside = Event()

    def remove_leftovers(self) -> None:
        self.writes_beside.wait(0.3)
        super().remove_leftovers()
        self.is_clean.set()

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        if not self.is_clean.is_set():
            self.writes_beside.set()
        with super().writing() as writer:
            yield writer


async def test_jobs_that_save_first_lose_nothing_to_the_removal_of_leftovers(
    tmp_path: Path, shop: Shop
) -> None:
    """None of them writes before what a killed engine has left is gone: it looks the same."""
    names = Var[tuple[str, ...]]("names", ())
    both = names.get().list_map(shop.made)
    async with Harness(lambda: both, state_dir=tmp_path) as h:
        await h.settle()
        files = h.engine.opened.files
        files.store = store = SlowToClean(files.store.root)
        names.set(("a", "b"))
        await h.settle()
        assert isinstance(h.output, Ok)
        assert not store.writes_beside.is_set()


async def test_a_job_says_that_it_waits_for_a_removal(tmp_path: Path, shop: Shop) -> None:
    """In its log, and in what is said of it meanwhile; then it goes on."""
    store = FileStore(tmp_path / "files")
    async with Harness(lambda: shop.made("a"), state_dir=tmp_path) as h:
        store.make()
        with store.removing():
            waits = "Waiting for the end of a removal of old files"
            await h.until(lambda: h.jobs and waits in h.log("make a"))
        await h.settle()
        assert isinstance(h.output, Ok)


async def test_jobs_say_that_they_wait_for_their_turn(tmp_path: Path, shop: Shop) -> None:
    """No more than some read and write files at once."""
    names = "abcdefgh"
    async with Harness(
        lambda: all({name: shop.made(name) for name in names}), state_dir=tmp_path
    ) as h:
        store = FileStore(tmp_path / "files")
        store.make()
        with store.removing():
            waits = "Waiting for its turn to read and write files"
            await h.until(lambda: h.jobs and any(waits in j.log_text() for j in h.jobs.values()))
        await h.settle()
        assert h.output == Ok(None)


def _swept(store: FileStore) -> tuple[int, int]:
    return sweeping(store)(lambda after: iter(()), is_dry=False, progress=lambda line: None)
