"""The newest good files of stages, as links that stay the same mean them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import pycurrent as current
from pycurrent import Builder, Current, Failure, Job, Level, Tree, UsageError, Var
from pycurrent.service import NoSuchFile, Service, SeveralFiles
from pycurrent.store import LabelFilter
from pycurrent.testing import Harness


class Docs(Builder[str, Tree]):
    """Saves what its key says: pages with the text, some more, or a failure."""

    id = "docs"

    async def build(self, job: Job, key: str) -> Tree:
        await job.start(level=Level.HARMLESS)
        async with job.tempdir() as folder:
            (folder / "docs").mkdir()
            (folder / "docs" / "index.html").write_text(key)
            (folder / "docs" / "style.css").write_text("h1 {}")
            saved = await job.save(folder, "docs/**")
            if key.endswith("twice"):
                await job.save(folder, "docs/*.html")
                (folder / "docs" / "index.html").write_text("other")
                await job.save(folder, "docs/index.html")
        if key.endswith("bad"):
            raise Failure("no good")
        return saved


@current.component("docs")
def build(key: str) -> current.Primitive[Tree]:
    return Docs().get(key)


@dataclass
class Site:
    """An engine, and the text of its branches' documents."""

    harness: Harness
    service: Service
    text: Var[str]

    async def say(self, text: str) -> None:
        self.text.set(text)
        await self.harness.settle()

    async def latest(self, path: str, **asked: object) -> str:
        """The job and the path that are meant."""
        labels = [LabelFilter.parse(str(label)) for label in asked.get("labels", ())]  # type: ignore[attr-defined]
        stage = asked.get("stage")
        found = await self.service.latest_file(
            path, stage=None if stage is None else str(stage), labels=labels
        )
        key = self.service.jobs.detail(found.kept.record.job_id).entry.key
        return f"{key}: {found.path}"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    text = Var("text", "one")

    def pipeline() -> Current[object]:
        def branch(name: Current[str]) -> Current[object]:
            said = current.inputs(name, text.get()).map(lambda a, b: f"{a} {b}")
            with current.labels(branch=name):
                return build(said)

        return current.constant(["main", "next"]).list_map(branch)

    made: list[Service] = []
    harness = Harness(pipeline, state_dir=tmp_path / "state")
    harness.engine.on_open(lambda opened: made.append(Service(opened)))
    async with harness as h:
        await h.settle()
        yield Site(h, made[0], text)


async def test_a_link_begins_with_the_path_of_a_stage(site: Site) -> None:
    """The rest is a file or a folder of what its newest job has saved."""
    assert await site.latest("main/docs/docs/index.html") == "main one: docs/index.html"
    assert await site.latest("next/docs/docs/") == "next one: docs"
    assert await site.latest("/next/docs/") == "next one: "
    for nothing in ("main/docs/nope", "other/docs/docs/index.html", "main", ""):
        with pytest.raises(NoSuchFile):
            await site.latest(nothing)


async def test_only_good_results_count(site: Site) -> None:
    """The last one stays while a newer one fails, and goes when one is good."""
    await site.say("bad")
    assert await site.latest("main/docs/docs/index.html") == "main one: docs/index.html"
    await site.say("two")
    assert await site.latest("main/docs/docs/index.html") == "main two: docs/index.html"
    await site.say("one")
    assert await site.latest("main/docs/docs/index.html") == "main one: docs/index.html"


async def test_labels_choose_among_stages(site: Site) -> None:
    """With the path of the file alone, and a glob for the stage, too."""
    main = ["branch=main"]
    assert await site.latest("docs/index.html", labels=main) == "main one: docs/index.html"
    assert await site.latest("docs", stage="next/*") == "next one: docs"
    assert await site.latest("docs", stage="main/docs") == "main one: docs"
    with pytest.raises(NoSuchFile):
        await site.latest("docs/index.html", labels=["branch=x"])


async def test_a_link_to_several_files_says_so(site: Site) -> None:
    """It names them; equal ones are one, and then the one with the most beside it counts."""
    with pytest.raises(SeveralFiles, match=r"of stage main/docs, job .*; .* of stage next/docs"):
        await site.latest("docs/index.html", stage="*/docs")
    assert "docs/style.css" in await site.latest("docs/style.css", stage="*/docs")
    await site.say("twice")
    with pytest.raises(SeveralFiles):
        await site.latest("main/docs/docs/index.html")
    assert await site.latest("main/docs/docs/style.css") == "main twice: docs/style.css"


async def test_too_many_stages_are_refused(tmp_path: Path) -> None:
    """Each would be looked at for each request."""
    names = [f"b{number}" for number in range(101)]

    def pipeline() -> Current[object]:
        with current.labels(repo="shop"):
            return current.constant(names).list_map(build)

    made: list[Service] = []
    harness = Harness(pipeline, state_dir=tmp_path / "state")
    harness.engine.on_open(lambda opened: made.append(Service(opened)))
    async with harness as h:
        await h.settle()
        with pytest.raises(UsageError, match="101 stages match"):
            await made[0].latest_file("docs", labels=[LabelFilter.parse("repo=shop")])
