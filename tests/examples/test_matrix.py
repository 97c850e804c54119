from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from examples.matrix import pipeline

from pycurrent import Config, Current, Level
from pycurrent.testing import Harness

from ..plugins.repositories import Repo

MINUTE = timedelta(minutes=1)
GOOD = "import unittest\nclass T(unittest.TestCase):\n    def test(self): pass\n"
BAD = GOOD.replace("pass", "self.fail()")
AWAY = "curl: (6) Could not resolve host: example.org"


@pytest.fixture
def matrix(project: Repo, tmp_path: Path) -> Callable[[], Current[None]]:
    """The example, with a repository that has three branches."""
    project.commit("first", test_app_py=GOOD)
    project.git("mv", "test.app.py", "test_app.py")
    project.git("commit", "--quiet", "--amend", "--no-edit")
    for name in ("legacy", "next"):
        project.git("branch", name)
    return partial(
        pipeline,
        str(project.path),
        publish_by=f"cp test_app.py {tmp_path / 'published'}",
        tell_by=f'echo "$PYCURRENT_VALUE" >> {tmp_path / "news"}',
        page=tmp_path / "status.html",
    )


def change(project: Repo, text: str) -> None:
    """Commit other tests to the branch that is checked out."""
    (project.path / "test_app.py").write_text(text)
    project.git("commit", "--quiet", "--all", "--allow-empty", "--message=change")


async def test_main_breaks_and_is_mended_with_one_message_each(
    matrix: Callable[[], Current[None]], project: Repo, tmp_path: Path
) -> None:
    """What is broken is not published, and the page shows the branch; a further commit that is as
    broken says nothing.
    """
    async with Harness(matrix, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert (tmp_path / "published").read_text() == GOOD
        assert (tmp_path / "status.html").read_text().count(">Ok") == 3
        for text in (BAD, f"# {BAD}\n{BAD}", f"# mended\n{GOOD}"):
            change(project, text)
            await h.advance(MINUTE)
            shown = "<td>main<td class=Ok" in (tmp_path / "status.html").read_text()
            assert shown == (text[2:8] == "mended")
            assert ((tmp_path / "published").read_text() == GOOD) != shown
        news = (tmp_path / "news").read_text().splitlines()
        assert news == ["main is fine", "main is broken", "main is fine"]


async def test_a_person_approves_what_is_published(
    matrix: Callable[[], Current[None]], tmp_path: Path
) -> None:
    """Nothing is published before."""
    config = Config(confirm=Level.DANGEROUS)
    async with Harness(matrix, state_dir=tmp_path / "state", config=config) as h:
        await h.settle()
        assert not (tmp_path / "published").exists()
        h.find("publish").approve()
        await h.settle()
        assert (tmp_path / "published").exists()


async def test_branches_have_all_but_the_excluded_pythons(
    matrix: Callable[[], Current[None]], project: Repo, tmp_path: Path
) -> None:
    """Each commit is tested once with each; a new branch is found."""
    project.git("switch", "--quiet", "legacy")
    change(project, f"# legacy\n{GOOD}")
    project.git("switch", "--quiet", "main")
    async with Harness(matrix, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert len(h.history("command-run")) == 3
        project.git("switch", "--quiet", "--create", "feature")
        change(project, BAD)
        await h.advance(MINUTE)
        assert len(h.history("command-run")) == 5
        assert "<td>feature<td class=Failed" in (tmp_path / "status.html").read_text()


async def test_a_network_that_fails_is_tried_again(
    matrix: Callable[[], Current[None]], project: Repo, tmp_path: Path
) -> None:
    """And nobody is told that main is broken."""
    been = tmp_path / "been"
    once = f"""import os, pathlib, sys
been = pathlib.Path({str(been)!r} + str(sys.flags.optimize))
if not sys.flags.dev_mode and not been.exists():
    been.touch()
    os.write(2, b"{AWAY}\\n")
    os._exit(1)
"""
    change(project, once + GOOD)
    async with Harness(matrix, state_dir=tmp_path / "state") as h:
        await h.settle()
        await h.advance(MINUTE)
        assert (tmp_path / "news").read_text() == "main is fine\n"


async def test_the_long_tests_run_each_night(
    matrix: Callable[[], Current[None]], tmp_path: Path
) -> None:
    """Once for a new commit, and then once a day at two."""
    async with Harness(matrix, state_dir=tmp_path / "state") as h:
        await h.settle()
        for _ in range(2):
            h.clock.move(timedelta(days=1))
            await h.settle()
        assert len(h.history("soak")) == 3
