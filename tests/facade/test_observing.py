"""`engine.observe` and `engine.state_folder`."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pycurrent import (
    Current,
    Engine,
    Failed,
    Ok,
    Output,
    PycurrentError,
    UsageError,
    Var,
    constant,
    pair,
)
from pycurrent.store import StateDir, StateDirError
from pycurrent.store.gc import collect_garbage
from pycurrent.testing import Harness


def half_of(number: Var[int]) -> Current[int]:
    return number.get().map(lambda n: 10 // n)


async def test_outputs_are_told_when_they_change(tmp_path: Path) -> None:
    """From before the start, or from the next step on; an equal output is none, each has its own
    listeners, and nothing is told after it was stopped or the engine was closed.
    """
    number, other = Var("number", 2), Var("other", 1)
    half = half_of(number)
    h = Harness(lambda: pair(half, other.get()), state_dir=tmp_path)
    early, late, twice = list[Output[int]](), list[Output[int]](), list[Output[int]]()
    stop = h.engine.observe(half, early.append)
    async with h:
        h.engine.observe(half, late.append)
        h.engine.observe(half, twice.append)
        h.engine.observe(half, twice.append)
        await h.settle()
        assert (early, late, twice) == ([Ok(5)], [Ok(5)], [Ok(5)] * 2)
        other.set(2)
        await h.settle()
        number.set(0)
        await h.settle()
        match early:
            case [Ok(5), Failed(message=message)]:
                assert "ZeroDivisionError" in message
            case _:
                raise AssertionError(early)
        stop()
        stop()
        number.set(1)
        await h.settle()
        assert len(early) == 2
        assert late[-1] == Ok(10)
    number.set(5)
    h.engine.observe(half, early.append)()
    assert (len(early), len(late)) == (2, 3)


async def test_a_current_that_is_not_used(tmp_path: Path) -> None:
    """Its listener is told as soon as the pipeline uses it, and not while it does not."""
    used, number = Var("used", False), Var("number", 2)
    half = half_of(number)
    told = list[Output[int]]()
    async with Harness(
        lambda: used.get().bind(lambda yes: half if yes else constant(0)), state_dir=tmp_path
    ) as h:
        h.engine.observe(half, told.append)
        await h.settle()
        assert told == []
        used.set(True)
        await h.settle()
        assert told == [Ok(5)]
        used.set(False)
        await h.settle()
        number.set(1)
        await h.settle()
        assert told == [Ok(5)]


async def test_listeners_that_fail(tmp_path: Path) -> None:
    """The engine goes on, and says so with the author's line until the listener is well again."""
    number = Var("number", 2)

    def picky(output: Output[int]) -> None:
        if output == Ok(5):
            raise ValueError("not five")

    half = half_of(number)
    async with Harness(lambda: half, state_dir=tmp_path) as h:
        stop = h.engine.observe(half, picky)
        await h.settle()
        (problem,) = h.engine.problems
        assert "ValueError: not five (test_observing.py:" in problem.message
        number.set(1)
        await h.settle()
        assert list(h.engine.problems) == []
        number.set(2)
        await h.settle()
        assert len(list(h.engine.problems)) == 1
        stop()
        assert list(h.engine.problems) == []


def test_what_can_not_be_observed(tmp_path: Path) -> None:
    """It is refused at once."""
    engine = Engine(lambda: constant(1), state_dir=tmp_path)

    async def later(output: Output[int]) -> None: ...

    with pytest.raises(UsageError, match="expected a current"):
        engine.observe(1, print)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="a plain function"):
        engine.observe(constant(1), later)


async def test_a_folder_of_the_authors(tmp_path: Path) -> None:
    """Only its owner may look into it, it stays over restarts, and gc leaves it alone."""
    for _ in range(2):
        engine = Engine(lambda: constant(1), state_dir=tmp_path, shared=True)
        with pytest.raises(PycurrentError, match="not open"):
            engine.state_folder("shop")
        async with engine:
            folder = engine.state_folder("shop")
            assert folder == engine.state_folder("shop") == tmp_path / "own" / "shop"
            assert folder.stat().st_mode & 0o777 == folder.parent.stat().st_mode & 0o777 == 0o700
            (folder / "note").write_text("kept")
    now = datetime.now(UTC) + timedelta(days=1)
    collect_garbage(StateDir.read(tmp_path), older_than=timedelta(0), now=now)
    assert (folder / "note").read_text() == "kept"


@pytest.mark.parametrize("name", ["", "..", ".x", "a/b", "/x", "a b", "x" * 65, 1, None])
async def test_names_of_folders_that_can_not_be(tmp_path: Path, name: str) -> None:
    """None of them leads out of the place for such folders."""
    async with Engine(lambda: constant(1), state_dir=tmp_path) as engine:
        with pytest.raises(UsageError, match="can't be the name of a folder"):
            engine.state_folder(name)


async def test_a_file_in_the_way(tmp_path: Path) -> None:
    """The error names it."""
    async with Engine(lambda: constant(1), state_dir=tmp_path) as engine:
        (tmp_path / "own").mkdir()
        (tmp_path / "own" / "shop").touch()
        with pytest.raises(StateDirError, match="is not a directory"):
            engine.state_folder("shop")
