"""Whatever happens on the way, the pipeline ends with the state that the forge has."""

import random
from collections.abc import Callable
from datetime import timedelta
from time import perf_counter

import pytest

import pycurrent as current
from pycurrent import Current
from pycurrent.plugins.forge import Ref, Repository
from pycurrent.plugins.forge.sweep import SWEEP
from pycurrent.testing import Harness

from .conftest import World
from .model import Reply, hang_up, limited, out_of_order, sha
from .test_deliveries import deliver

Start = Callable[..., Harness]


class Life:
    """What happens on a forge, at random, and what gets lost on the way to us."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.random = random.Random(seed)
        self.commits = 0
        self.late: list[tuple[dict[str, str], bytes]] = []
        """Deliveries that may still come, in any order, or again."""

    def commit(self) -> str:
        self.commits += 1
        return sha(self.commits)

    def happen(self) -> None:
        """Something changes there, and a delivery is on its way."""
        forge = self.world.forge
        path = self.random.choice(["octo/web", "octo/lib", "octo/new"])
        if path not in forge.repositories:
            forge.add(path, hash=self.commit())
        made = forge.repositories[path]
        match self.random.randrange(6):
            case 0:
                del forge.repositories[path]
            case 1:
                made.branches.pop("dev", None)
            case 2:
                forge.open(path, self.commit())
            case 3 if made.changes:
                del made.changes[max(made.changes)]
            case _:
                made.branches[self.random.choice(["main", "dev"])] = self.commit()
        if self.random.random() < 0.7:  # The others are lost.
            self.late.append(forge.deliver("push", path))

    def arrivals(self) -> list[tuple[dict[str, str], bytes]]:
        """Some of the deliveries that are on their way, in any order; some come again later."""
        self.random.shuffle(self.late)
        arrived = self.late[: self.random.randrange(len(self.late) + 1)]
        self.late = self.late[len(arrived) :] + arrived[:1]
        return arrived

    def trouble(self, is_done: bool) -> Reply | None:
        """A request may be refused, or be done without an answer."""
        if self.random.random() > 0.15:
            return None
        return hang_up if is_done else self.random.choice([out_of_order, hang_up, limited("30")])

    @property
    def shown(self) -> dict[str, list[tuple[str, str]]]:
        """The statuses of each commit that a ref leads to now."""
        return {
            hash: forge_said
            for path, made in self.world.forge.repositories.items()
            for hash in {*made.branches.values(), *(one.hash for one in made.changes.values())}
            for forge_said in [self.world.forge.said(path, hash)]
        }


async def on(h: Harness, by: timedelta) -> None:
    """Move the clock on, timer by timer, with time for requests in between: until all is done, or
    something waits for the clock, which nobody tells.
    """
    end = h.clock.now() + by
    while (when := h.clock.next_timer) is not None and when <= end:
        h.clock.move(max(when - h.clock.now(), timedelta()))
        await quiet(h)
    h.clock.move(max(end - h.clock.now(), timedelta()))
    await quiet(h)


async def quiet(h: Harness) -> None:
    """Wait until all is done, as long as requests take at most."""
    end = perf_counter() + 0.05
    await h.until(lambda: h.engine.idle or perf_counter() > end, timeout=20)


@pytest.mark.parametrize("seed", range(4))
async def test_each_commit_gets_its_status_exactly_once(
    world: World, start: Start, seed: int
) -> None:
    """Deliveries are lost, repeated, reordered and late; requests are refused, limited, cut off
    before and after they were done; the engine is started again.
    """
    life = Life(world, seed)
    world.forge.mischief = life.trouble

    def pipeline() -> Current[object]:
        def show(ref: Current[Ref]) -> Current[object]:
            return world.author.status(ref, "ci", current.constant(1))

        def each(repository: Current[Repository]) -> Current[object]:
            return world.author.each_ref(repository, show)

        return world.author.each_repository(each)

    for _ in range(3):
        async with start(pipeline) as h:
            for _ in range(6):
                life.happen()
                for headers, body in life.arrivals():
                    await deliver(h, world.author, headers, body)
                await on(h, timedelta(seconds=life.random.randrange(90)))
    world.forge.mischief = lambda is_done: None
    async with start(pipeline) as h:
        for _ in range(4):
            await on(h, SWEEP)
            if all(said == [("ci", "success")] for said in life.shown.values()):
                break
        await h.until(
            lambda: all(said == [("ci", "success")] for said in life.shown.values()), timeout=20
        )
    everything = [
        said
        for made in world.forge.repositories.values()
        for said in map(len, made.statuses.values())
    ]
    assert set(everything) <= {1}
