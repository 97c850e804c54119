"""Checks: what an App shows of a commit as check runs."""

from __future__ import annotations

import json
import random
from datetime import timedelta
from typing import Any

import pytest

import pycurrent as current
from pycurrent import (
    Active,
    Activity,
    Current,
    LogRule,
    Ok,
    UsageError,
    Var,
)
from pycurrent.engine.site_links import SiteLinks
from pycurrent.plugins.forge import Ref
from pycurrent.plugins.github import App
from pycurrent.plugins.github.check_text import LONGEST, cut, escaped

from ..forge.model import Reply, hang_up, limited, out_of_order, sha
from .checked import shown, work
from .conftest import Place

RULE = r"^(?P<file>[^:\s]+):(?P<line>\d+):(?:(?P<column>\d+):)? error: (?P<message>.+)$"


async def test_a_check_follows_its_current(place: Place) -> None:
    """One run from the first state to the conclusion, also after a restart; what begins again is
    another run, as GitHub shows the newest.
    """
    result = Var[int]("result", Active(Activity.RUNNING))

    def show(app: App, ref: Current[Ref]) -> Current[Any]:
        return app.check(ref, "ci", result.get())

    async with place.start(show) as h:
        await shown(h)
        assert place.said() == [("ci", "in_progress")]
        h.engine.service(SiteLinks).public_url = "https://ci.example.org"
        result.set(1)
        await shown(h)
    assert place.said() == [("ci", "success")]
    (run,) = place.runs()
    assert run.external_id == "octo%2Fweb/main/check ci of"
    assert run.details_url is not None
    assert run.details_url.startswith("https://ci.example.org/stage?path=octo")
    asked = len(place.github.requests)
    async with place.start(show) as h:
        await shown(h)
        assert not any("check-runs" in one for one in place.github.requests[asked:])
        result.set(Active(Activity.WAITING_FOR_CONFIRMATION))
        await shown(h)
        assert place.said() == [("ci", "success"), ("ci", "queued")]
        assert place.runs()[1].title == "waits for confirmation"


async def test_a_check_that_was_made_without_a_record_is_not_made_again(place: Place) -> None:
    """As by an engine that was killed in between."""

    def show(app: App, ref: Current[Ref]) -> Current[Any]:
        return app.check(ref, "ci", current.constant(1))

    for state in ("one", "other"):
        async with place.start(show, state) as h:
            await shown(h)
    assert place.said() == [("ci", "success")]


async def test_of_several_the_failed_ones_are_shown_by_name(place: Place) -> None:
    """Beside a summary; they become green when they pass again."""
    unit = Var("unit", "ok")

    def show(app: App, ref: Current[Ref]) -> Current[Any]:
        results = {"lint": work("lint", "ok"), "unit": work("unit", unit.get())}
        return app.check(ref, "ci", results)

    async with place.start(show) as h:
        await shown(h)
        assert place.said() == [("ci", "success")]
        assert place.runs()[0].title == "all 2 passed"
        unit.set("boom")
        await shown(h)
        newest = dict(place.said())
        assert newest == {"ci": "failure", "ci / unit": "failure"}
        summary = next(run for run in reversed(place.runs()) if run.name == "ci")
        assert summary.title == "1 of 2 failed: unit"
        assert summary.summary is not None
        assert "| ❌ unit | unit has failed |" in summary.summary
    unit.set("ok")
    async with place.start(show) as h:
        await shown(h)
        assert dict(place.said()) == {"ci": "success", "ci / unit": "success"}


async def test_each_can_have_a_check(place: Place) -> None:
    """Then there is no summary."""

    def show(app: App, ref: Current[Ref]) -> Current[Any]:
        results = {"lint": current.constant(1), "unit": current.fail("boom")}
        return app.check(ref, "ci", results, each=True)

    async with place.start(show) as h:
        await shown(h)
    assert sorted(place.said()) == [("ci / lint", "success"), ("ci / unit", "failure")]


async def test_a_failure_is_explained(place: Place) -> None:
    """By its cause, its log with a link to the line, since when it is so, and its annotations, in
    as many requests as it takes; nothing of its text is Markdown.
    """
    text = "".join(f"src/a.c:{n}:3: error: no <b>{n}</b>\n" for n in range(1, 121))

    def show(app: App, ref: Current[Ref]) -> Current[Any]:
        return app.check(ref, "ci", work("unit", text + "../b.c:1: error: out\nFAILED ```"))

    async with place.start(show) as h:
        h.engine.log_rules.add(LogRule(RULE, r"\0", 1))
        h.engine.service(SiteLinks).public_url = "https://ci.example.org"
        await shown(h)
        job = h.find("work").id
    (run,) = place.runs()
    assert (run.conclusion, len(run.annotations)) == ("failure", 120)
    first = min(run.annotations, key=lambda one: int(one["start_line"]))
    assert (first["path"], first["start_line"], first["start_column"]) == ("src/a.c", 1, 3)
    assert (first["message"], first["annotation_level"]) == ("no <b>1</b>", "failure")
    assert run.text is not None
    assert f"(https://ci.example.org/job/{job}#L" in run.text
    assert "**Why it was run**" in run.text
    assert "failing since" in run.text
    assert run.text.count("```") % 2 == 0
    assert "src/a.c:2:3: error: no <b>2</b>" in run.text


async def test_reports_annotate_files(place: Place) -> None:
    """Failed tests of a job that has failed, and what tools have found in one that has passed."""
    region = {"startLine": 2, "endLine": 4, "startColumn": 3}
    location = {"artifactLocation": {"uri": "src/a.py"}, "region": region}
    results = [
        {"message": {"text": "unused"}, "ruleId": "F401",
         "locations": [{"physicalLocation": location}]},
        {"message": {"text": "of no file"}},
    ]  # fmt: skip
    run = {"tool": {"driver": {"name": "lint"}}, "results": results}
    sarif = json.dumps({"version": "2.1.0", "runs": [run]})
    test = '<testcase name="adds" file="src/t.py" line="7"><failure message="3 is 4"/></testcase>'

    @current.builder("check", level=current.Level.HARMLESS)
    async def check(job: current.Job, key: str) -> None:
        job.write("::error::loose\n::warning file=src/b.py,line=9::odd\n")
        async with job.tempdir() as folder:
            (folder / "a.xml").write_text(f"<testsuite>{test if key == 'unit' else ''}</testsuite>")
            (folder / "a.sarif").write_text(sarif)
            await job.report(folder, junit="a.xml", sarif=None if key == "unit" else "a.sarif")

    def show(app: App, ref: Current[Ref]) -> Current[Any]:
        return app.check(ref, "ci", {"unit": check("unit"), "lint": check("lint")}, each=True)

    async with place.start(show) as h:
        await shown(h)
    runs = {run.name: run for run in place.runs()}
    failed, odd = runs["ci / unit"].annotations
    assert (odd["path"], odd["start_line"], odd["annotation_level"]) == ("src/b.py", 9, "warning")
    assert (failed["path"], failed["start_line"], failed["title"]) == ("src/t.py", 7, "adds")
    assert (failed["message"], failed["annotation_level"]) == ("3 is 4", "failure")
    text = runs["ci / unit"].text
    assert text is not None
    assert "**Its tests: 1 failed**\n\n- failed: adds: 3 is 4" in text
    assert "**Annotations of no file**\n\n- error: loose" in text
    warned, _ = runs["ci / lint"].annotations
    assert (warned["start_line"], warned["end_line"], warned["title"]) == (2, 4, "F401")
    assert (warned["annotation_level"], "start_column" in warned) == ("warning", False)


async def test_a_check_that_would_stay_pending_is_cancelled(place: Place) -> None:
    """Once its branch is gone."""
    made = place.github.repositories["octo/web"]
    made.branches["dev"] = sha(2)

    def show(app: App, ref: Current[Ref]) -> Current[Any]:
        return app.check(ref, "ci", current.active(Activity.RUNNING))

    async with place.start(show) as h:
        await shown(h)
        assert place.said(2) == [("ci", "in_progress")]
        del made.branches["dev"]
        h.clock.move(timedelta(minutes=10))
        place.github.now = h.clock.now()
        await h.until(lambda: place.said(2) == [("ci", "cancelled")], timeout=20)
    assert place.said() == [("ci", "in_progress")]


def test_no_results_are_refused(place: Place) -> None:
    """And so is a name that is not known, for several."""
    ref: Current[Ref] = current.fail("not yet")
    with pytest.raises(UsageError, match="no results"):
        place.app.check(ref, "ci", {})
    with pytest.raises(UsageError, match="plain name"):
        place.app.check(ref, current.constant("ci"), {"a": current.constant(1)})


def test_long_texts_are_cut() -> None:
    """They say so, and leave no block of code open."""
    text = cut("```text\n" + "line\n" * LONGEST + "```")
    assert len(text) <= LONGEST
    assert text.endswith("as GitHub takes no longer texts.")
    assert text.count("```") == 2
    assert cut("short") == "short"


def test_texts_of_others_are_no_markdown() -> None:
    """Nobody is mentioned by them."""
    assert escaped("@ann *is*\n<b>#1</b> | x") == r"&#64;ann \*is\* \<b\>\#1\</b\> \| x"


@pytest.mark.parametrize("seed", range(3))
async def test_each_commit_gets_its_check_exactly_once(place: Place, seed: int) -> None:
    """Requests are refused, limited, cut off before and after they were done; the engine is
    started again, once without what it knew.
    """
    dice = random.Random(seed)
    made = place.github.repositories["octo/web"]

    def trouble(is_done: bool) -> Reply | None:
        if "check-runs" not in place.github.requests[-1] or dice.random() > 0.4:
            return None
        return hang_up if is_done else dice.choice([out_of_order, hang_up, limited("30")])

    def show(app: App, ref: Current[Ref]) -> Current[Any]:
        results = {"lint": current.constant(1), "unit": current.fail("boom")}
        return app.check(ref, "ci", results)

    for number, state in enumerate(["one", "one", "two"], start=1):
        made.branches["dev" if number > 1 else "main"] = sha(number)
        place.github.mischief = trouble
        async with place.start(show, state) as h:
            for _ in range(12):
                await h.until(lambda: h.engine.idle or h.clock.next_timer is not None, timeout=20)
                if isinstance(h.output, Ok) and h.engine.idle:
                    break
                if h.clock.next_timer is not None:
                    h.clock.move(max(h.clock.next_timer - h.clock.now(), timedelta()))
                    place.github.now = h.clock.now()
                await h.settle()
    place.github.mischief = lambda is_done: None
    async with place.start(show, "two") as h:
        await shown(h)
    for hash in made.branches.values():
        said = sorted(place.github.checks.said(hash))
        assert said == [("ci", "failure"), ("ci / unit", "failure")]
