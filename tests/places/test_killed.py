"""Nothing runs twice, no byte is lost or doubled, and nothing is left, whatever is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pycurrent.engine import Config
from pycurrent.engine.supervisor import children_of
from pycurrent.term import Failed, Ok, constant
from pycurrent.testing import Harness

from ..engine import durable
from ..engine.marks import marked
from ..engine.test_killed import gone
from ..plugins.slurmd import Slurm
from ..plugins.sshd import Sshd
from . import engine_at_place
from .at import printed
from .trials import PRINTED, Trial

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(sys.platform != "linux", reason="places need Linux"),
]


class TrialAt(Trial):
    """At a host or a cluster, where all processes have the mark `there`."""

    def __init__(self, folder: Path, server: Sshd | Slurm, way: list[str], there: str) -> None:
        super().__init__(folder, way)
        self.server = server
        self.there = there

    def lose_connections(self) -> None:
        """Break off what is connected; nothing comes through."""
        if isinstance(self.server, Sshd):
            self.server.drop_connections()
            self.server.stop()
        else:
            self.server.end("slurmctld")
            self.server.drop_connections()

    def can_connect(self) -> None:
        """It can be connected to again."""
        if isinstance(self.server, Sshd):
            self.server.start()
        else:
            self.server.start_controller()

    def clean(self) -> None:
        for pid in (*marked(self.here), *marked(self.there)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture(params=["ssh", "slurm"])
def trial(request: pytest.FixtureRequest, tmp_path: Path, home: Path) -> Iterator[TrialAt]:
    there = uuid.uuid4().hex
    environment = {"HOME": str(home), "MARK": there}
    if request.param == "ssh":
        key = request.getfixturevalue("key")
        server = Sshd(tmp_path / "sshd", environment=environment)
        server.authorize(key)
        server.start()
        known = tmp_path / "known"
        known.write_text(server.known_hosts_line)
        way = ["ssh", server.host, server.user, str(server.port), str(key), str(known)]
        trial = TrialAt(tmp_path, server, way, there)
        yield trial
        server.stop()
    else:
        request.getfixturevalue("partition")
        cluster: Slurm = request.getfixturevalue("cluster")
        cluster.set_environment(environment)
        trial = TrialAt(tmp_path, cluster, ["slurm"], there)
        yield trial
        cluster.clean()
    trial.clean()


by_ssh = pytest.mark.parametrize("trial", ["ssh"], indirect=True)


async def done(h: Harness) -> None:
    """Wait for the result: nobody tells the harness of what another engine has begun."""
    await h.until(lambda: isinstance(h.output, Ok | Failed), timeout=60)
    await h.settle()


def all_at_once(engine: int) -> None:
    """Kill an engine with all of its processes, so that none can tell another one anything."""
    tree = [engine]
    for pid in tree:  # grows while it is walked
        os.kill(pid, signal.SIGSTOP)
        tree += children_of(pid)
    for pid in tree:
        os.kill(pid, signal.SIGKILL)


def waiting(mark: str) -> set[int]:
    """The commands that wait."""
    found = set()
    for pid in marked(mark):
        with suppress(OSError):
            if durable.WAITS in Path(f"/proc/{pid}/cmdline").read_text().split("\0"):
                found.add(pid)
    return found


def supervisor_of(mark: str) -> int:
    """The process above the command that waits."""
    (pid,) = waiting(mark)
    return int(Path(f"/proc/{pid}/stat").read_text().split()[3])


@pytest.mark.every_place
@pytest.mark.parametrize("ended_meanwhile", [False, True])
async def test_a_job_goes_on_where_it_was(trial: TrialAt, ended_meanwhile: bool) -> None:
    """At the same host; also where a command came to its end while no engine was there."""
    async with trial.killed("one"):
        if ended_meanwhile:
            await trial.go()
        async with trial.engine("one") as h:
            if not ended_meanwhile:
                await h.until(lambda: h.stats.running == 1)
                await trial.go()
            await done(h)
            assert h.output == Ok("done")
            assert trial.ran == ["first", "second"]
            assert printed(h.log("work")) == PRINTED
            assert len(h.engine.history()) == 1
    await gone(trial.there)
    assert list((trial.folder / "state" / "run").glob("*/*")) == []


@pytest.mark.parametrize("plan", ["both", "output", "in_tempdir", "once", "fails", "crossed"])
async def test_all_kinds_of_work_go_on(trial: TrialAt, plan: str) -> None:
    """With what they have printed and made before."""
    async with trial.killed(plan):
        (trial.folder / "again").touch()
        async with trial.engine(plan) as h:
            await h.until(lambda: h.stats.running == 1)
            await trial.go()
            await done(h)
            assert isinstance(h.output, Failed if plan == "fails" else Ok)
            assert len(trial.ran) == len(set(trial.ran))
            assert len(h.engine.history()) == 1


@by_ssh
async def test_a_host_that_has_left_the_pool_is_not_gone_back_to(trial: TrialAt) -> None:
    """What the job has left there is ended, and the work is run afresh at another host."""
    async with trial.killed("one"), trial.engine("one", by_name=False) as h:
        await trial.begun()
        await trial.go()
        await done(h)
        assert h.output == Ok("done")
        assert trial.ran == ["first", "second", "first", "second"]
        assert len(h.engine.history()) == 2


@by_ssh
async def test_a_job_that_nobody_wants_is_over(trial: TrialAt) -> None:
    """The next engine ends it, and does not use its host. So one after that has its run folder, but
    does not go on with it.
    """
    async with trial.killed("one"):
        state = trial.folder / "state"
        config = Config(lease=durable.LEASE)
        async with Harness(lambda: constant(None), state_dir=state, config=config) as h:
            await h.settle()
            await gone(trial.there)
        assert len(list(state.glob("run/*/*"))) == 1
        async with trial.engine("one") as h:
            await trial.begun()
            assert len(h.engine.history()) == 2
            await trial.go()
            await done(h)
            assert trial.ran == ["first", "second", "first", "second"]
            assert len(h.engine.history()) == 2
        assert list(state.glob("run/*/*")) == []


async def test_a_job_that_is_not_durable_ends_with_its_engine(trial: TrialAt) -> None:
    """And is run again by the next one, when nothing of it is left."""
    async with trial.killed("one", is_durable=False):
        await gone(trial.there)
        async with trial.engine("one", is_durable=False) as h:
            await trial.begun()
            await trial.go()
            await done(h)
            assert trial.ran == ["first", "second", "first", "second"]
            assert len(h.engine.history()) == 2


def taken_by(folder: Path) -> int:
    """The bytes that the spool of the one command there takes on the disk."""
    spools = list(folder.glob("*/*/spool")) or list(folder.glob("*/*/*/spool"))
    return sum(spool.stat().st_blocks * 512 for spool in spools)


async def test_what_nobody_reads_fills_no_disk(trial: TrialAt, home: Path) -> None:
    """Neither here nor at the place: the command waits there, and goes on with the next engine."""
    places = [trial.folder / "state" / "run", home / ".cache" / "pycurrent" / "run"]
    least = 32 << 20
    async with trial.killed("much"):
        while any(taken_by(place) < least for place in places):  # noqa: ASYNC110 - of a disk
            await asyncio.sleep(0.05)
        assert all(taken_by(place) < 50_000_000 for place in places)
        async with trial.engine("much") as h:
            await done(h)
            assert h.output == Ok("done")
            log = h.log("work")
    assert log.count(f"{durable.LINE}\n") == durable.MUCH // 64
    assert len(trial.ran) == 1


async def test_a_relay_that_is_killed_is_begun_again(trial: TrialAt) -> None:
    """Its command goes on; it may be killed again and again."""
    async with trial.engine("one") as h:
        await trial.begun()
        for _ in range(3):
            await h.until(lambda: engine_at_place.kill_relays(trial.folder) > 0, timeout=30)
        await trial.go()
        await done(h)
        assert h.output == Ok("done")
        assert trial.ran == ["first", "second"]
        assert printed(h.log("work")) == PRINTED


async def test_a_machine_that_is_started_again_finds_its_commands(trial: TrialAt) -> None:
    """Engine and relays are gone at once: the next engine asks the host."""
    async with trial.killed("one", how=all_at_once), trial.engine("one") as h:
        await h.until(lambda: h.stats.running == 1)
        await trial.go()
        await done(h)
        assert h.output == Ok("done")
        assert trial.ran == ["first", "second"]
        assert printed(h.log("work")) == PRINTED


@pytest.mark.every_place
async def test_nothing_runs_beside_what_a_machine_has_left(trial: TrialAt) -> None:
    """It was started again: the place is asked to end what a job that is not durable has there."""
    async with trial.killed("one", is_durable=False, how=all_at_once):
        left = waiting(trial.there)
        assert left
        async with trial.engine("one", is_durable=False) as h:
            await trial.begun()
            assert not left & waiting(trial.there)
            await trial.go()
            await done(h)
            assert trial.ran == ["first", "second", "first", "second"]
    assert list((trial.folder / "state" / "run").glob("*/*")) == []


async def test_what_a_machine_has_left_is_waited_for(trial: TrialAt) -> None:
    """While its place can't be reached the next engine waits, and says for what; so does another
    one after that.
    """
    async with trial.killed("one", is_durable=False, how=all_at_once):
        left = waiting(trial.there)
        trial.lose_connections()
        for is_last in (False, True):
            async with trial.engine("one", is_durable=False) as h:
                await h.until(lambda: "its lease" in str(h.engine.why("work")), timeout=30)
                if not is_last:
                    continue
                trial.can_connect()
                await trial.begun()
                assert not left & waiting(trial.there)
                await trial.go()
                await done(h)
                assert trial.ran == ["first", "second", "first", "second"]


@by_ssh
async def test_what_is_left_at_a_host_that_is_not_used_any_more_is_ended(trial: TrialAt) -> None:
    """Also that of a durable job, which can't go on."""
    async with trial.killed("one", how=all_at_once):
        left = waiting(trial.there)
        async with trial.engine("one", by_name=False) as h:
            await trial.begun()
            assert not left & waiting(trial.there)
            await trial.go()
            await done(h)
            assert trial.ran == ["first", "second", "first", "second"]


async def test_a_lost_connection_is_made_again(trial: TrialAt) -> None:
    """The command goes on meanwhile, and the log says what the job waits for."""
    async with trial.engine("one") as h:
        await trial.begun()
        trial.lose_connections()
        await h.until(lambda: "Waiting for the connection to" in h.log("work"), timeout=30)
        assert h.stats.running == 1
        trial.can_connect()
        await h.until(lambda: "is there again" in h.log("work"), timeout=30)
        await trial.go()
        await done(h)
        assert h.output == Ok("done")
        assert trial.ran == ["first", "second"]
        assert printed(h.log("work")) == PRINTED


async def test_a_host_that_is_gone_for_too_long_loses_its_commands(trial: TrialAt) -> None:
    """They are ended there by their lease; the job has failed for a reason that is not its work."""
    async with trial.engine("one", is_durable=False, lease=1.0) as h:
        await trial.begun()
        trial.lose_connections()
        await h.until(lambda: "has not been heard of for too long" in h.log("work"), timeout=60)
        await gone(trial.there)


async def test_a_job_is_cancelled_although_the_connection_is_lost(trial: TrialAt) -> None:
    """It ends when the host is there again, and its command has ended."""
    async with trial.engine("one") as h:
        await trial.begun()
        trial.lose_connections()
        h.find("work").cancel("enough")
        await h.until(lambda: "Waiting for the connection to" in h.log("work"), timeout=30)
        trial.can_connect()
        await done(h)
        assert h.output == Failed("Cancelled: enough")
        await gone(trial.there)


async def test_a_supervisor_that_is_killed_takes_its_command_with_it(trial: TrialAt) -> None:
    """What became of it is not known, and nothing of it is left."""
    async with trial.engine("one") as h:
        await trial.begun()
        os.kill(supervisor_of(trial.there), signal.SIGKILL)
        await h.until(lambda: "its supervisor there was killed" in h.log("work"), timeout=30)
        await gone(trial.there)
