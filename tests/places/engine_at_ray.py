"""Jobs at a Ray cluster, by the plans of `durable.py`. As a script it runs one, until it is killed.

engine_at_ray.py PLAN FOLDER IS_DURABLE ADDRESS TOKEN
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from pycurrent.engine import Config
from pycurrent.facade import Engine
from pycurrent.plugins import ray
from pycurrent.term import Current, Ok, component

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.engine import durable
from tests.places.engine_at_place import Passing


def pipeline(
    plan: str, folder: Path, cluster: ray.Cluster, *, is_durable: bool = True
) -> Current[str]:
    if is_durable:
        return durable.pipeline(plan, folder, pool=cluster)
    return component("work", lambda: Passing(folder, cluster, None).get(plan))


async def main(plan: str, folder: Path, cluster: ray.Cluster, *, is_durable: bool) -> None:
    engine = Engine(
        lambda: pipeline(plan, folder, cluster, is_durable=is_durable),
        state_dir=folder / "state",
        config=Config(lease=durable.LEASE),
    )
    async with engine:
        await engine.settled()
        assert isinstance(engine.output, Ok)


if __name__ == "__main__":
    plan, folder, is_durable, address, token = sys.argv[1:]
    cluster = ray.Cluster(address, token=token)
    asyncio.run(main(plan, Path(folder), cluster, is_durable=bool(int(is_durable))))
