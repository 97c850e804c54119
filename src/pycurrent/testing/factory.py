"""Makes the harnesses of one test, and looks after them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from pycurrent.engine import Config
from pycurrent.term import Current
from pycurrent.testing.clock import START
from pycurrent.testing.harness import Harness
from pycurrent.testing.processes import processes_marked


class HarnessFactory:
    """Makes harnesses; the type of the fixture `harness`.

        async def test_frob(harness: HarnessFactory) -> None:
            async with harness(pipeline) as h:
                await h.settle()

    All harnesses of one test use the same state directory, so make another one to restart.
    """

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self._made: list[Harness] = []

    def __call__(
        self,
        pipeline: Callable[[], Current[Any]],
        *,
        state_dir: Path | str | None = None,
        config: Config | None = None,
        start: datetime = START,
    ) -> Harness:
        """Make a `Harness`, which has to end before the test does."""
        harness = Harness(
            pipeline,
            state_dir=self.state_dir if state_dir is None else state_dir,
            config=config,
            start=start,
        )
        self._made.append(harness)
        return harness

    def leftovers(self, test: str) -> list[str]:
        """The things that the test with this node id has left behind, each as a sentence."""
        left = []
        for harness in self._made:
            if harness.is_open:
                jobs = ", ".join(job.description for job in harness.jobs.values() if job.job)
                what = f", with {jobs} at work" if jobs else ""
                left.append(f"A harness is still open{what}: use it with `async with`.")
        # pytest sets a variable with the test, which all processes inherit.
        for pid, command in processes_marked("PYTEST_CURRENT_TEST", f"{test} (call)").items():
            left.append(f"Process {pid} still runs: {command}. Run commands by `job.exec`.")
        return left
