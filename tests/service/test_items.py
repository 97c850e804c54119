"""The stages of items, found while the loop goes on."""

from pathlib import Path
from typing import Any

import pycurrent as current
from pycurrent.service import Below, Labelled, Service
from pycurrent.testing import Harness


def pipeline() -> current.Current[Any]:
    """2,000 stages in two lists, one in the other."""

    def group(name: current.Current[int]) -> current.Current[Any]:
        numbers = current.constant(range(20))
        return numbers.list_map(
            lambda number: current.component("add", lambda a, b: a + b, name, number)
        )

    with current.labels(of="groups"):
        return current.constant(range(100)).list_map(group)


async def test_the_stages_of_a_large_pipeline_are_found_while_the_loop_goes_on(
    tmp_path: Path,
) -> None:
    """All of them, although they take several turns."""
    made: list[Service] = []
    harness = Harness(pipeline, state_dir=tmp_path)
    harness.engine.on_open(lambda opened: made.append(Service(opened)))
    async with harness as h:
        await h.settle()
        (service,) = made
        found = await service.stages_of_item(Below("7"), limit=1000)
        assert [stage.path for stage in found.stages] == [f"7/{number}/add" for number in range(20)]
        labelled = await service.stages_of_item(Labelled("of", "groups"), limit=10)
        assert (len(labelled.stages), labelled.counts.total) == (10, 2000)
