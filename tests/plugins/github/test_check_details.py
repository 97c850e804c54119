"""Checks of currents that come from several stages: each that has failed is explained."""

from __future__ import annotations

from typing import Any

import pytest

import pycurrent as current
from pycurrent import Current, FailureKind, Job, Level, LogRule, Var
from pycurrent.engine.site_links import SiteLinks
from pycurrent.plugins.forge import Ref
from pycurrent.plugins.github import App
from pycurrent.plugins.github.check_text import near
from pycurrent.testing import Harness

from .check_runs import FakeCheckRun
from .checked import shown, work
from .conftest import Place

RULE = r"^(?P<file>[^:\s]+):(?P<line>\d+): error: (?P<message>.+)$"


def with_site(h: Harness) -> None:
    """Its address is known, and lines of logs annotate those of files."""
    h.engine.log_rules.add(LogRule(RULE, r"\0", 1))
    h.engine.service(SiteLinks).public_url = "https://ci.example.org"


def run_of(place: Place) -> FakeCheckRun:
    """The newest check."""
    return place.runs()[-1]


async def test_all_that_have_failed_together_are_explained(place: Place) -> None:
    """Also the one that fails after the check was completed, and only as long as it fails."""
    unit = Var("unit", "ok")

    def show(app: App, ref: Current[Ref]) -> Current[Any]:
        lint = work("lint", "src/a.c:1: error: ugly")
        return app.check(ref, "ci", current.all([lint, work("unit", unit.get())]))

    async with place.start(show) as h:
        with_site(h)
        await shown(h)
        run = run_of(place)
        assert (run.title, len(run.annotations)) == ("src/a.c:1: error: ugly", 1)
        assert "wrong" not in (run.text or "")
        unit.set("src/b.c:2: error: wrong")
        await shown(h)
        run = run_of(place)
        jobs = {entry.failure: entry.job_id for entry in h.engine.history(op="work", ok=False)}
        assert len(jobs) == 2
        assert run.summary is not None
        assert run.text is not None
        assert "**Why it was run**" in run.text
        for told, job in jobs.items():
            assert f"| {told}\n" in run.text
            assert f"[log](https://ci.example.org/job/{job})" in run.text
            assert f"https://ci.example.org/job/{job}#L" in run.text
        assert "src/b.c:2: error: wrong ([log]" in run.summary
        assert sorted(one["path"] for one in run.annotations) == ["src/a.c", "src/b.c"]
        unit.set("ok")
        await shown(h)
        assert "wrong" not in (run_of(place).text or "")


@pytest.mark.parametrize("is_first", [True, False])
async def test_annotations_are_those_of_what_has_failed(place: Place, is_first: bool) -> None:
    """Each once, whichever fails later; once one is fixed another run has only the rest."""
    unit = Var("unit", "ok")

    def show(app: App, ref: Current[Ref]) -> Current[Any]:
        found = [work("unit", unit.get()), work("lint", "src/a.c:1: error: ugly")]
        return app.check(ref, "ci", current.all(found if is_first else found[::-1]))

    def paths() -> list[str]:
        return sorted(one["path"] for one in run_of(place).annotations)

    async with place.start(show) as h:
        with_site(h)
        await shown(h)
        assert paths() == ["src/a.c"]
        unit.set("src/b.c:2: error: wrong")
        await shown(h)
        assert paths() == ["src/a.c", "src/b.c"]
        assert len(place.runs()) == 1
        unit.set("ok")
        await shown(h)
        assert paths() == ["src/a.c"]
        assert "wrong" not in (run_of(place).text or "")


async def test_what_a_decision_builds_is_explained(place: Place) -> None:
    """By the jobs within."""

    def show(app: App, ref: Current[Ref]) -> Current[Any]:
        def tests(ref: Ref) -> Current[Any]:
            return current.all([work("unit", "boom"), work("lint", "ok")])

        return app.check(ref, "ci", {"tests": ref.bind(tests), "docs": work("docs", "ok")})

    async with place.start(show) as h:
        await shown(h)
    summary = next(run for run in place.runs() if run.name == "ci")
    own = next(run for run in place.runs() if run.name == "ci / tests")
    assert summary.title == "1 of 2 failed: tests"
    for run in (summary, own):
        assert "unit has failed" in (run.text or "")
        assert "lint" not in (run.text or "")
        assert [one["label"] for one in run.actions] == ["Rerun", "Explain"]


async def test_the_first_of_many_are_explained(place: Place) -> None:
    """And the number of the others is told."""

    def show(app: App, ref: Current[Ref]) -> Current[Any]:
        many = [work(f"part{number}", "boom") for number in range(12)]
        return app.check(ref, "ci", current.all(many))

    async with place.start(show) as h:
        await shown(h)
    (run,) = place.runs()
    assert (run.text or "").count("### ") == 10
    assert (run.text or "").endswith("And 2 more.")
    assert (run.summary or "").endswith("| and 2 more | |")
    assert "part9 has failed" in (run.text or "")


async def test_a_stage_without_a_job_is_told_with_its_page(place: Place) -> None:
    """Beside what the infrastructure has failed, which has its button."""

    @current.builder("fetch", level=Level.HARMLESS)
    async def fetch(job: Job) -> None:
        raise current.Failure("503", kind=FailureKind.INFRA)

    def show(app: App, ref: Current[Ref]) -> Current[Any]:
        def decide(ref: Ref) -> Current[Any]:
            raise current.Failure("there is no Makefile")

        decided = ref.bind(decide, name="decide")
        return app.check(ref, "ci", current.all([decided, work("unit", "ok").gate(on=fetch())]))

    async with place.start(show) as h:
        with_site(h)
        await shown(h)
    run = run_of(place)
    assert run.text is not None
    assert "### decide ([stage](https://ci.example.org/stage?path=" in run.text
    assert "there is no Makefile" in run.text
    assert "### fetch ([log](" in run.text
    assert [one["label"] for one in run.actions] == ["Rerun", "Rerun infra failures", "Explain"]


def test_paths_are_shown_as_seen_from_the_check() -> None:
    """Without what they share; a stage keeps its name."""
    assert near("octo%2Fweb/main/unit", "octo%2Fweb/main/check ci") == "unit"
    assert near("octo%2Fweb/main/part/unit", "octo%2Fweb/main/check ci") == "part/unit"
    assert near("other/unit", "octo%2Fweb/main/check ci") == "other/unit"
    assert near("same", "same") == "same"
