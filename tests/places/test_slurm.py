"""Slurm as a pool: what it says reaches the people who wait, and nothing of it is left."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from pycurrent.engine import Job, Level
from pycurrent.errors import UsageError, WrongKind
from pycurrent.explain.reasons import WaitsInQueue
from pycurrent.plugins import slurm
from pycurrent.term import Current, Failed, Ok
from pycurrent.term import all as all_of
from pycurrent.testing import Harness

from ..engine.doing import do, one
from ..plugins.slurmd import Slurm

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(sys.platform != "linux", reason="places need Linux"),
]


async def failure(pool: slurm.Partition, folder: Path) -> str:
    """The failure of a job that can't have an allocation."""

    async def work(job: Job) -> str:
        await job.start(level=Level.HARMLESS, pool=pool)
        return "begun"

    async with one(folder / "state", work) as h:
        await h.until(lambda: isinstance(h.output, Ok | Failed), timeout=30)
        assert isinstance(h.output, Failed)
        return h.output.message


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: slurm.Partition("no-such"), "Invalid partition name specified"),
        (lambda: slurm.Partition("ci", memory="9999G"), "Memory specification can not be"),
        (lambda: slurm.Partition("ci", gres="gpu:3"), "Invalid generic resource"),
        (lambda: slurm.Partition("ci", constraint="none"), "Invalid feature specification"),
    ],
    ids=["partition", "memory", "gres", "constraint"],
)
async def test_what_slurm_refuses_fails_with_its_words(
    partition: slurm.Partition, tmp_path: Path, make: Callable[[], slurm.Partition], says: str
) -> None:
    """In one line, and it is not tried again."""
    message = await failure(make(), tmp_path)
    assert message.startswith("Slurm refuses a job of pool slurm ")
    assert says in message
    assert "\n" not in message


async def test_a_machine_without_slurm_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the name of the command that is missing."""
    monkeypatch.setenv("PATH", str(tmp_path))
    pool = slurm.Partition("ci")

    async def work(job: Job) -> str:
        await job.start(level=Level.HARMLESS, pool=pool)
        return "begun"

    async with one(tmp_path / "state", work) as h:
        await h.until(lambda: "can't start 'sbatch'" in h.log("do a"), timeout=30)


async def test_a_job_that_waits_says_why_slurm_has_it_wait(
    cluster: Slurm, partition: slurm.Partition, tmp_path: Path
) -> None:
    """By the reason of Slurm's queue."""
    gate = asyncio.Event()
    whole = partition.pool("whole", cpus=8)

    async def work(job: Job) -> str:
        place = await job.start(level=Level.HARMLESS, pool=whole)
        await gate.wait()
        return str(place.name)

    def pipeline() -> Current[None]:
        return all_of({key: do(work, key) for key in "ab"})

    def reasons() -> str:
        why = [reason for key in "ab" for reason in h.engine.why(f"do {key}").reasons]
        return " ".join(
            text for found in why if isinstance(found, WaitsInQueue) for text in found.waits_for
        )

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.until(lambda: ": Resources" in reasons() or ": Priority" in reasons(), timeout=30)
        gate.set()
        await h.until(lambda: h.output == Ok(None), timeout=60)
        assert f"Runs at {cluster.host} (slurm job " in h.log("do a")
    assert await left(cluster) == ""


async def left(cluster: Slurm) -> str:
    """The jobs that run or wait in Slurm."""
    states = "--states=PENDING,RUNNING"
    return await asyncio.to_thread(cluster.says, "squeue", "--noheader", states)


async def test_a_job_that_is_cancelled_while_it_waits_leaves_slurm_s_queue(
    cluster: Slurm, partition: slurm.Partition, tmp_path: Path
) -> None:
    """What was never begun is not begun later."""
    await asyncio.to_thread(
        cluster.says, "sbatch", "--cpus-per-task=8", "--output=/dev/null", "--wrap=sleep 600"
    )

    async def work(job: Job) -> str:
        await job.start(level=Level.HARMLESS, pool=partition)
        return "begun"

    async with one(tmp_path / "state", work) as h:
        await h.until(lambda: "Waiting for Slurm to begin its job" in h.log("do a"), timeout=30)
        h.find("do a").cancel("enough")
        await h.until(lambda: h.output == Failed("Cancelled: enough"), timeout=30)
    assert "pycurren" not in await left(cluster)


async def test_an_allocation_that_slurm_ends_loses_its_command(
    cluster: Slurm, partition: slurm.Partition, tmp_path: Path
) -> None:
    """For a reason that is not the work's, which the log says at once."""
    (tmp_path / "begun").touch()

    async def work(job: Job) -> str:
        await job.start(level=Level.HARMLESS, pool=partition)
        await job.exec(["sh", "-c", "echo runs; exec sleep 600"])
        return "done"

    async with one(tmp_path / "state", work) as h:
        await h.until(lambda: "\nruns\n" in h.log("do a"), timeout=30)
        await asyncio.to_thread(cluster.says, "scancel", "--user=root")
        await h.until(lambda: " is over: CANCELLED: somebody has" in h.log("do a"), timeout=60)
        assert not isinstance(h.output, Failed), "it is tried again"


async def test_an_allocation_is_not_requeued(
    cluster: Slurm, partition: slurm.Partition, tmp_path: Path
) -> None:
    """Slurm refuses that, and the command goes on."""
    go = tmp_path / "go"

    async def work(job: Job) -> str:
        await job.start(level=Level.HARMLESS, pool=partition)
        script = 'echo runs; while [ ! -e "$0" ]; do sleep 0.1; done'
        await job.exec(["sh", "-c", script, str(go)])
        return "done"

    async with one(tmp_path / "state", work) as h:
        await h.until(lambda: "\nruns\n" in h.log("do a"), timeout=30)
        (number,) = (await left(cluster)).split()[:1]
        await asyncio.to_thread(cluster.says, "scontrol", "requeue", number)
        go.touch()
        await h.until(lambda: h.output == Ok("done"), timeout=60)
        assert h.log("do a").count("\nruns\n") == 1


@pytest.mark.full_size
async def test_an_allocation_that_is_requeued_all_the_same_runs_nothing_again(
    cluster: Slurm, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An administrator may have Slurm do that: the job is over, and its retry gets another one."""
    monkeypatch.setenv("SLURM_CONF", str(cluster.config))
    cluster.set_environment({"HOME": str(home)})
    pool = slurm.Partition("ci", memory="100M", lease=5)
    begun = tmp_path / "begun"

    async def work(job: Job) -> str:
        await job.start(level=Level.HARMLESS, pool=pool)
        await job.exec(["sh", "-c", 'echo "$SLURM_JOB_ID" >> "$0"; exec sleep 600', str(begun)])
        return "done"

    async with one(tmp_path / "state", work) as h:
        await h.until(lambda: begun.exists() and begun.read_text(), timeout=30)
        number = begun.read_text().strip()
        await asyncio.to_thread(cluster.says, "scontrol", "update", f"job={number}", "requeue=1")
        await asyncio.to_thread(cluster.says, "scontrol", "requeue", number)
        await h.until(lambda: "it is run again after a pause" in h.log("do a"), timeout=110)
    assert begun.read_text().split().count(number) == 1
    cluster.clean()


@pytest.mark.full_size
@pytest.mark.parametrize("daemon", ["slurmctld", "slurmd"])
async def test_daemons_of_slurm_may_be_started_again(
    cluster: Slurm, partition: slurm.Partition, tmp_path: Path, daemon: str
) -> None:
    """Commands go on meanwhile."""
    go = tmp_path / "go"

    async def work(job: Job) -> str:
        await job.start(level=Level.HARMLESS, pool=partition)
        script = 'echo runs; while [ ! -e "$0" ]; do sleep 0.1; done; echo goes on'
        await job.exec(["sh", "-c", script, str(go)])
        return "done"

    async with one(tmp_path / "state", work) as h:
        await h.until(lambda: "\nruns\n" in h.log("do a"), timeout=30)
        await asyncio.to_thread(cluster.end, daemon)
        cluster.start_controller() if daemon == "slurmctld" else cluster.start_node()
        await asyncio.to_thread(cluster.wait_for_node, "")
        go.touch()
        await h.until(lambda: h.output == Ok("done"), timeout=60)
        assert h.log("do a").count("\nruns\n") == 1
        assert "\ngoes on\n" in h.log("do a")


@pytest.mark.full_size
async def test_jobs_wait_for_an_answer_of_slurm(
    cluster: Slurm, partition: slurm.Partition, tmp_path: Path
) -> None:
    """A controller that is away loses no job."""
    await asyncio.to_thread(cluster.end, "slurmctld")

    async def work(job: Job) -> str:
        await job.start(level=Level.HARMLESS, pool=partition)
        return "begun"

    async with one(tmp_path / "state", work) as h:
        await h.until(lambda: "Waiting for an answer of Slurm: " in h.log("do a"), timeout=60)
        cluster.start_controller()
        await h.until(lambda: h.output == Ok("begun"), timeout=60)


async def test_nodes_without_python_are_explained(
    partition: slurm.Partition, tmp_path: Path
) -> None:
    """By what is missing there."""
    pool = slurm.Partition("ci", memory="100M", python="/no/such/python3")

    async def work(job: Job) -> str:
        await job.start(level=Level.HARMLESS, pool=pool)
        await job.exec(["true"])
        return "done"

    async with one(tmp_path / "state", work) as h:
        await h.until(lambda: "there is no python3 there" in h.log("do a"), timeout=60)


def test_malformed_needs_are_refused() -> None:
    """By name, with what to write."""
    with pytest.raises(UsageError, match="cpus= takes a number above 0, not 0"):
        slurm.Partition("ci", cpus=0)
    with pytest.raises(UsageError, match='memory= takes a size like "4G"'):
        slurm.Partition("ci", memory="4 GB")
    with pytest.raises(UsageError, match="time_limit= takes a timedelta above 0"):
        slurm.Partition("ci", time_limit=timedelta())
    with pytest.raises(UsageError, match="name= takes a name as Slurm has it"):
        slurm.Partition("--wrap=x")
    with pytest.raises(WrongKind, match=r"Partition\.pool knows cpus, memory, .* not cpu"):
        slurm.Partition("ci").pool("small", cpu=1)
