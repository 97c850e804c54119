"""GitHub as a person with a token sees it: by REST."""

from pycurrent.plugins.forge.values import Change
from pycurrent.plugins.github import GitHub
from pycurrent.testing import VirtualClock

from ..forge.model import sha
from .conftest import World


async def test_what_is_as_it_was_costs_nothing(world: World) -> None:
    """Branches, tags and pull requests, page by page; what has changed is read."""
    world.github.page_size = 2
    made = world.github.add("robot/web")
    made.branches |= {f"b{number}": sha(number) for number in range(5)}
    world.github.open("robot/web", sha(9))
    api = GitHub(world.github.token, url=world.github.url).connect(VirtualClock())
    try:
        web = next(one for one in await api.repositories() if one.path == "robot/web")
        first = await api.refs(web)
        assert world.github.unchanged == 0
        before = len(world.github.requests)
        assert await api.refs(web) == first
        assert len(world.github.requests) - before == world.github.unchanged == 5
        made.branches["b1"] = sha(77)
        second = await api.refs(web)
        assert {ref.hash for ref in second} - {ref.hash for ref in first} == {sha(77)}
        made.branches.clear()
        assert [type(ref) for ref in await api.refs(web)] == [Change]
    finally:
        await api.aclose()
