"""Temporary folders are gone at the end of their block, and large ones are removed behind it."""

import asyncio
from pathlib import Path

import pytest

from pycurrent.engine import Job
from pycurrent.engine.tempdirs import Trash, temporary_folder
from pycurrent.term import Ok

from .doing import one, start


def put_files(folder: Path) -> None:
    (folder / "deep").mkdir()
    for number in range(100):
        (folder / "deep" / str(number)).touch()


async def test_a_large_folder_is_removed_behind_its_job(tmp_path: Path) -> None:
    """It is gone from its place at once; when the engine has ended nothing is left."""
    folders: list[Path] = []

    async def work(job: Job) -> None:
        await start(job)
        async with job.tempdir("build-") as folder:
            put_files(folder)
        folders.append(folder)
        assert not folder.exists()

    async with one(tmp_path, work) as h:
        await h.settle()
        assert h.output == Ok("done")
    assert folders
    assert list((tmp_path / "tmp").iterdir()) == []


async def test_a_few_files_are_removed_at_once(tmp_path: Path) -> None:
    """They may be secrets: none of them waits for anything else to be removed."""
    trash = Trash()
    async with temporary_folder(tmp_path, "secret-", trash) as folder:
        (folder / "key").touch()
        assert not trash.take(folder)
        assert folder.exists()
    assert list(tmp_path.iterdir()) == []


async def test_the_next_engine_removes_what_one_has_left(tmp_path: Path) -> None:
    """Behind its start: an engine that was killed may have left a lot."""

    async def work(job: Job) -> None:
        await start(job)

    left = tmp_path / "tmp" / "1-abc" / "gone-checkout-xyz"
    left.mkdir(parents=True)
    put_files(left)
    async with one(tmp_path, work) as h:
        await h.settle()
        while left.parent.exists():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)


async def test_who_waits_for_the_trash_finds_nothing_left(tmp_path: Path) -> None:
    """All that it has taken is removed then, and it takes more."""
    trash = Trash()
    for _ in range(2):
        for _ in range(3):
            async with temporary_folder(tmp_path, "build-", trash) as folder:
                put_files(folder)
        await trash.emptied()
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("times", [1, 2])
async def test_after_its_end_the_trash_takes_nothing(tmp_path: Path, times: int) -> None:
    """A job that is left alone removes its own folder."""
    trash = Trash()
    for _ in range(times):
        await trash.aclose()
    async with temporary_folder(tmp_path, "build-", trash) as folder:
        put_files(folder)
    assert list(tmp_path.iterdir()) == []


async def test_a_folder_that_is_gone_already(tmp_path: Path) -> None:
    """Whoever removed it has done the work."""
    trash = Trash()
    async with temporary_folder(tmp_path, "build-", trash) as folder:
        folder.rmdir()
    assert list(tmp_path.iterdir()) == []
    await trash.aclose()
