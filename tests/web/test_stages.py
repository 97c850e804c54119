"""Stages by their labels: in the API, on badges, and for those who wait."""

from pathlib import Path

import pytest

import pycurrent as current
from pycurrent.service import Service
from pycurrent.store import LabelFilter
from pycurrent.testing import Harness


@current.builder("trial", level=current.Level.HARMLESS)
async def trial(job: current.Job, key: str) -> str:
    if key == "bad":
        raise current.Failure("no good")
    return key


def pipeline() -> current.Current[object]:
    with current.labels(repo="web", commit="3f2a1c" + 34 * "0"):
        web = trial("web")
    with current.labels(repo="api"):
        bad = trial("bad")
        after = trial(bad)
    return current.all([web, bad, after])


@pytest.mark.parametrize(
    ("path", "conditions", "found"),
    [
        (None, [], {"trial web": True, "trial bad": True, "trial": True}),
        (None, ["repo=web"], {"trial web": True}),
        (None, ["commit=3f2a1c"], {"trial web": True}),
        (None, ["repo!=web"], {"trial bad": True, "trial": True}),
        ("trial b*", ["repo=api"], {"trial bad": True}),
        ("nowhere", [], {}),
    ],
)
async def test_stages_are_found_by_path_and_labels(
    tmp_path: Path, path: str | None, conditions: list[str], found: dict[str, bool]
) -> None:
    """What depends on a failure is final, too: nothing is at work to change it."""
    made: list[Service] = []
    harness = Harness(pipeline, state_dir=tmp_path)
    harness.engine.on_open(lambda opened: made.append(Service(opened)))
    async with harness as h:
        (service,) = made
        labels = [LabelFilter.parse(condition) for condition in conditions]
        assert not any(stage.is_final for stage in service.stages_with(path, labels))
        await h.settle()
        stages = [*service.stages_with(path, labels)]
        assert {stage.path: stage.is_final for stage in stages} == found
