from functools import partial
from pathlib import Path

from examples.make_like import pipeline

from pycurrent.testing import Harness

from .run import example


async def test_it_makes_again_what_has_changed_is_missing_or_new(tmp_path: Path) -> None:
    """200 files, and nothing but what differs is made in later runs; what has gone goes."""
    sources, outputs = tmp_path / "src", tmp_path / "out"
    sources.mkdir()
    for number in range(200):
        (sources / f"{number}.txt").write_text(f"text {number}")
    like_make = partial(pipeline, sources, outputs)
    async with Harness(like_make, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert len(h.history("convert")) == 200
        assert (outputs / "7.txt").read_text() == "TEXT 7"
    (sources / "7.txt").write_text("other")
    (sources / "8.txt").unlink()
    (sources / "new.txt").write_text("new")
    (outputs / "9.txt").unlink()
    async with Harness(like_make, state_dir=tmp_path / "state") as h:
        await h.settle()
        made = [build.key for build in h.history("convert")][200:]
        assert (len(made), (outputs / "8.txt").exists()) == (4, False)  # 3 made, 1 removed
        for name, text in (("7", "OTHER"), ("9", "TEXT 9"), ("new", "NEW")):
            assert (outputs / f"{name}.txt").read_text() == text


async def test_a_source_that_comes_and_goes_is_noticed_meanwhile(tmp_path: Path) -> None:
    """The folder is watched, and the output follows it."""
    sources, outputs = tmp_path / "src", tmp_path / "out"
    sources.mkdir()
    async with Harness(partial(pipeline, sources, outputs), state_dir=tmp_path / "state") as h:
        (sources / "a").write_text("a")
        await h.settle()
        assert (outputs / "a").read_text() == "A"
        (sources / "a").unlink()
        await h.settle()
        assert not (outputs / "a").exists()


def test_a_run_with_nothing_to_do_says_only_that(tmp_path: Path) -> None:
    """There are no lines for outputs that are still there, but for one that is missing."""
    (tmp_path / "src").mkdir()
    for name in ("a", "b"):
        (tmp_path / "src" / name).write_text(name)
    example("make_like.py", "--once", cwd=tmp_path)
    nothing = example("make_like.py", "--once", cwd=tmp_path)
    assert [line.split(":")[0] for line in nothing.stdout.splitlines()] == ["ok"]
    (tmp_path / "out" / "b").unlink()
    missing = example("make_like.py", "--once", cwd=tmp_path)
    lines = missing.stdout.splitlines()
    assert "ok       b/convert" in missing.stdout
    assert all("b/convert" in line for line in lines[:-1])
