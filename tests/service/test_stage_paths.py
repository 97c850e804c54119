"""The paths of stages, as everything that shows them has them."""

from pathlib import Path

import pytest

import pycurrent as current
from pycurrent import Builder, Current, Job, Level, Var
from pycurrent.service import Service
from pycurrent.testing import Harness


class Shout(Builder[str, str]):
    id = "shout"

    async def build(self, job: Job, key: str) -> str:
        await job.start(level=Level.HARMLESS)
        return key.upper()


@current.component("test {word}")
def shout(word: str, loud: bool = False) -> current.Primitive[str]:
    return Shout().get(word)


@pytest.fixture
def word() -> Var[str]:
    return Var("word", "tea")


def pipeline(of: Var[str]) -> Current[object]:
    """Two repositories with a test each, and two stages elsewhere that share a job."""
    word = of.get()
    repos = current.constant(["web", "api"])
    each = repos.list_map(shout)
    return current.all([each, shout(word), shout(word, loud=True)])


EXPECTED = {"web/test", "api/test", "word", "test (loud=False)", "test (loud=True)"}


def paths(h: Harness) -> set[str]:
    """Of the diagram."""
    return {node.path for node in h.graph().nodes if node.path is not None}


async def test_the_diagram_has_the_paths_of_all_stages(tmp_path: Path, word: Var[str]) -> None:
    """The same in the next engine, and when a value changes."""
    for new in ("cup", "tea"):
        async with Harness(lambda: pipeline(word), state_dir=tmp_path) as h:
            await h.settle()
            assert paths(h) == EXPECTED
            word.set(new)
            await h.settle()
            assert paths(h) == EXPECTED


async def test_only_living_stages_have_a_path(tmp_path: Path) -> None:
    """Neither items, lists and functions, nor what is drawn as an example."""
    empty = current.constant(list[str]())
    async with Harness(lambda: empty.list_map(shout), state_dir=tmp_path) as h:
        await h.settle()
        assert h.graph().nodes
        assert paths(h) == set()


async def test_a_job_knows_the_stages_that_it_is_for(tmp_path: Path, word: Var[str]) -> None:
    """All of them; once nobody needs it, those that have used it."""
    async with Harness(lambda: pipeline(word), state_dir=tmp_path) as h:
        await h.settle()
        job = h.find("shout tea")
        assert [*job.paths] == ["test (loud=False)", "test (loud=True)"]
        assert h.find("shout web").paths == ("web/test",)
        word.set("cup")
        await h.settle()
        assert sorted(job.paths) == ["test (loud=False)", "test (loud=True)"]
        assert sorted(h.find("shout cup").paths) == sorted(job.paths)


@pytest.mark.parametrize("first_ask", ["diagram", "job"])
async def test_it_does_not_matter_who_asks_first(
    tmp_path: Path, word: Var[str], first_ask: str
) -> None:
    """Paths are made only once somebody asks for one."""
    made: list[Service] = []
    harness = Harness(lambda: pipeline(word), state_dir=tmp_path)
    harness.engine.on_open(lambda opened: made.append(Service(opened)))
    async with harness as h:
        await h.settle()
        job = h.find("shout web")
        if first_ask == "job":
            assert made[0].jobs.detail(job.id).stages == ("web/test",)
        assert {n.path for n in (await made[0].pipeline.snapshot()).graph.nodes if n.path} == (
            EXPECTED
        )
        for name, paths in (("api/test", ["api/test"]), ("test web", ["web/test"]), ("web", [])):
            assert [stage.path for stage in made[0].stages_named(name)] == paths
