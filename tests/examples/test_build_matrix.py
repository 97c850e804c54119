from datetime import timedelta
from functools import partial
from pathlib import Path

from pycurrent import Stats
from pycurrent.cli.load import load
from pycurrent.testing import Harness

from .run import EXAMPLES, example


def test_it_runs_every_check_with_every_python(tmp_path: Path) -> None:
    """As it is, it runs to its end, and all is ok; a second time nothing is left to do."""
    first = example("build_matrix.py", "--once", "--state-dir", "state", cwd=tmp_path)
    assert (first.returncode, first.stderr) == (0, "")
    assert "ok: 12 ok" in first.stdout
    second = example("build_matrix.py", "--once", "--state-dir", "state", cwd=tmp_path)
    assert second.stdout.splitlines()[0].startswith("ok: 12 ok")


def test_its_options_replace_versions_and_checks(tmp_path: Path) -> None:
    """One check that fails with one of two Pythons is the only failure."""
    done = example(
        "build_matrix.py",
        *("--pythons", "python3 -B", "python3 -O"),
        *("--checks=-c pass", "--checks=-c 'assert False'"),
        *("--once", "--state-dir", "state"),
        cwd=tmp_path,
    )
    assert done.returncode == 1
    assert "failed: 1 failed, 5 ok" in done.stdout


async def test_only_a_base_that_has_changed_is_checked_again(tmp_path: Path) -> None:
    """After a day the bases are asked again; what is the same as before starts nothing."""
    for name in ("a", "b"):
        (tmp_path / name).write_text("#!/bin/sh\ncat $0.version\n")
        (tmp_path / name).chmod(0o755)
        (tmp_path / f"{name}.version").write_text("1")
    pipeline = partial(
        load(f"{EXAMPLES / 'build_matrix.py'}:matrix").pipeline,
        pythons=(str(tmp_path / "a"), str(tmp_path / "b")),
        checks=("one", "two", "three"),
        folder=tmp_path,
    )
    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert h.stats == Stats(ok=8)
        (tmp_path / "b.version").write_text("2")
        await h.advance(timedelta(hours=23))
        assert len(h.history()) == 8
        await h.advance(timedelta(hours=1))
        assert len(h.history("python-base")) == 4
        assert len(h.history("python-check")) == 9
