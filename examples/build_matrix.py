"""Versions x commands: every check with every Python.

    python examples/build_matrix.py --once
    python examples/build_matrix.py --pythons python3.12 "python3.13 -X dev"

The checks of a version share a base: the exact version that the interpreter reports. It is asked
again after a day. If the answer is the same, no check runs again; if the interpreter was replaced,
only its own checks do.

With `--on ssh:build1,build2` the checks run on these hosts instead, where the folder is sent:

    python examples/build_matrix.py --on ssh:build1 --pythons python3 "--checks=-m compileall -q ."

With `--on slurm:PARTITION` each check has an allocation of a Slurm cluster.

With `--on ray:ADDRESS` they run on the nodes of a Ray cluster, one CPU each.

The checked folder is not watched. `local_ci.py` shows how to follow a repository.
"""

import os
import shlex
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import pycurrent as current
from pycurrent import Builder, Current, Job, Level, Pool, Primitive, Schedule, component
from pycurrent.plugins import ray, slurm, ssh

AnyPool = Pool | ssh.Hosts | slurm.Partition | ray.RayPool
DAILY = Schedule(valid_for=timedelta(days=1))
THIS = shlex.quote(sys.executable)
CHECKS = ("-m compileall -q .", "-W error -c 'import pycurrent.testing'", "-m pydoc pycurrent")


@dataclass(frozen=True)
class Base:
    """An interpreter, and the version that it last reported."""

    python: str
    version: str


@dataclass(frozen=True)
class Ask(Builder[str, Base]):
    """Ask an interpreter for its version, once for all its checks."""

    id: ClassVar[str] = "python-base"

    pool: AnyPool

    async def build(self, job: Job, key: str) -> Base:
        await job.start(level=Level.MOSTLY_HARMLESS, pool=self.pool)
        version = await job.check_output([*shlex.split(key), "-VV"])
        return Base(key, version.strip())


@dataclass(frozen=True)
class Check(Builder[tuple[Base, str], None]):
    """Run a check with an interpreter. The two are the key; the fields are only the context."""

    id: ClassVar[str] = "python-check"
    auto_cancel: ClassVar[bool] = True

    folder: Path
    pool: AnyPool

    async def build(self, job: Job, key: tuple[Base, str]) -> None:
        base, words = key
        await job.start(level=Level.AVERAGE, pool=self.pool, timeout=timedelta(minutes=10))
        async with job.tempdir("checked-") as sent, job.tempdir("pycache-") as cache:
            folder = self.folder
            if job.place is not None:
                await job.send(folder, sent)
                folder = sent
            await job.exec(
                [*shlex.split(base.python), *shlex.split(words)],
                cwd=folder,
                env={"PYTHONPYCACHEPREFIX": str(cache)},
            )

    def describe(self, key: tuple[Base, str]) -> str:
        base, words = key
        return f"{base.python} {words}"


def pool_of(on: str, workers: int) -> AnyPool:
    kind, _, where = on.partition(":")
    match kind:
        case "":
            return Pool("cpu", workers)
        case "ssh" if where:
            return ssh.Hosts(where.split(","), capacity=workers)
        case "slurm" if where:
            return slurm.Partition(where, capacity=workers)
        case "ray" if where:
            return ray.Cluster(where, capacity=workers)
        case _:
            raise current.UsageError(
                f"--on takes ssh:HOST,HOST or slurm:PARTITION or ray:ADDRESS, not {on}"
            )


def matrix(
    pythons: tuple[str, ...] = (THIS, f"{THIS} -O", f"{THIS} -X dev"),
    checks: tuple[str, ...] = CHECKS,
    folder: Path = Path(current.__file__).parent,
    workers: int = os.cpu_count() or 1,
    on: str = "",
) -> Current[None]:
    """Run every check with every Python.

    Args:
        pythons: interpreters with their options, as in a shell
        checks: the arguments for them, as in a shell
        folder: the folder in which they run
        workers: how many run at once; with ssh, on each host
        on: where they run, as ssh:HOST,HOST or slurm:PARTITION or ray:ADDRESS
    """
    pool = pool_of(on, workers)
    ask, runner = Ask(pool), Check(folder.absolute(), pool)

    @component("base")
    def base(python: str) -> Primitive[Base]:
        return ask.get(python, schedule=DAILY)

    @component("check")
    def check(base: Base, words: str) -> Primitive[None]:
        return runner.get((base, words))

    def check_all(python: Current[str]) -> Current[None]:
        found = base(python)
        return current.constant(checks).list_iter(lambda words: check(found, words), label="checks")

    return current.constant(pythons).list_iter(check_all, label="pythons")


if __name__ == "__main__":
    current.main(matrix)
