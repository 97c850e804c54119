"""Ray clusters as places: what they share with others is in `test_commands.py` and the like."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pycurrent.engine import Job, Level
from pycurrent.errors import UsageError, WrongKind
from pycurrent.plugins import ray
from pycurrent.plugins.ray.head import explain
from pycurrent.plugins.ray.shape import shape_of
from pycurrent.term import Current, Failed, Ok, Var
from pycurrent.term import all as all_of
from pycurrent.testing import Harness

from ..debian import missing
from ..engine import durable
from ..engine.doing import do, one
from ..engine.marks import marked
from ..engine.test_killed import all_gone, gone
from .at import printed
from .authority import Authority
from .ray_head import RayHead
from .trials import PRINTED, Trial

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(sys.platform != "linux", reason="places need Linux"),
]


async def says_where(job: Job, cluster: ray.RayPool) -> str:
    place = await job.start(level=Level.HARMLESS, pool=cluster)
    return await job.check_output(["echo", place.kind])


async def test_a_job_waits_for_its_resources(head: RayHead, tmp_path: Path) -> None:
    """It says what it waits for, and has them once another job has given them back."""
    rack = head.cluster().pool("rack", cpus=0.5, memory="1M", resources={"rack": 1})
    gate = asyncio.Event()

    async def work(job: Job) -> str:
        await job.start(level=Level.HARMLESS, pool=rack)
        await gate.wait()
        return "done"

    def pipeline() -> Current[None]:
        return all_of({key: do(work, key) for key in "ab"})

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        room = "room for 0.5 CPU, 0.000977 GiB of memory, 1 rack"
        await h.until(lambda: room in h.log("do a") + h.log("do b"), timeout=30)
        await h.until(lambda: h.stats.running == 1, timeout=30)
        gate.set()
        await h.until(lambda: h.output == Ok(None), timeout=30)


async def test_resources_are_inherited_in_the_order_in_which_jobs_wait(
    head: RayHead, tmp_path: Path
) -> None:
    """By jobs that ask for the same."""
    pool = head.cluster().pool("large", cpus=3)
    order: list[str] = []
    gates = {name: asyncio.Event() for name in "abcd"}

    async def work(job: Job, name: str) -> str:
        await job.start(level=Level.HARMLESS, pool=pool)
        order.append(name)
        await gates[name].wait()
        return "done"

    wanted = Var("wanted", "a")

    def pipeline() -> Current[None]:
        def stages(names: str) -> Current[None]:
            return all_of({name: do(partial(work, name=name), name) for name in names})

        return wanted.get().bind(stages)

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:

        async def begins(name: str) -> None:
            await h.until(lambda: order[-1:] == [name], timeout=30)

        async def waits(names: str) -> None:
            wanted.set(names)
            await h.until(lambda: len(h.jobs) == len(names), timeout=30)
            await h.until(lambda: "room for 3 CPU" in h.log(f"do {names[-1]}"), timeout=30)

        await begins("a")
        for number in (2, 3, 4):
            await waits("abcd"[:number])
        for name, gate in gates.items():
            await begins(name)
            gate.set()
        await h.until(lambda: h.output == Ok(None), timeout=30)
        assert order == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"cpus": 64}, "no node has 64 CPU (the most is 4 CPU): ask for less, or add such a node"),
        ({"labels": {"arch": "arm64"}}, "no node has all of 1 CPU, arch=arm64: ask for less"),
    ],
)
async def test_what_no_node_has_is_named(
    head: RayHead, tmp_path: Path, asked: dict[str, Any], says: str
) -> None:
    """The job waits, as such a node may come; it can be cancelled."""
    pool = head.cluster().pool("large", **asked)

    async def work(job: Job) -> str:
        return await says_where(job, pool)

    async with one(tmp_path / "state", work) as h:
        await h.until(lambda: says in h.log("do a"), timeout=30)
        h.find("do a").cancel("enough")
        await h.until(lambda: h.output == Failed("Cancelled: enough"), timeout=30)


async def test_clients_elsewhere_use_its_other_address(head: RayHead, tmp_path: Path) -> None:
    """By Ray's own client, for machines that are no nodes of it."""
    cluster = ray.Cluster(f"ray://127.0.0.1:{head.client_port}", token=head.token)

    async def work(job: Job) -> str:
        return await says_where(job, cluster)

    async with one(tmp_path / "state", work) as h:
        await h.until(lambda: isinstance(h.output, Ok | Failed), timeout=60)
        assert h.output == Ok("ray\n")


NOT_THERE = "127.0.0.1:1 can't be reached: Connection refused: see whether a head of Ray runs there"


@pytest.mark.parametrize(
    ("cluster", "says"),
    [
        (lambda head: ray.Cluster("127.0.0.1:1"), NOT_THERE),
        (lambda head: ray.Cluster("ray://127.0.0.1:1"), f"ray://{NOT_THERE}"),
        (
            lambda head: ray.Cluster(head.address, token="wrong" * 8),
            "the cluster does not let the engine in: see token=",
        ),
    ],
)
async def test_a_cluster_that_can_t_be_used_is_explained(
    head: RayHead, tmp_path: Path, cluster: Callable[[RayHead], ray.Cluster], says: str
) -> None:
    """In a line of the log; the job waits until it can be."""
    assert says in await explained(cluster(head), tmp_path / "state")


async def explained(cluster: ray.Cluster, state: Path) -> str:
    """The one line of the log of a job that waits for a cluster which can't be used."""

    async def work(job: Job) -> str:
        return await says_where(job, cluster)

    async with one(state, work) as h:
        await h.until(lambda: "can't be used: " in h.log("do a"), timeout=30)
        (line,) = [line for line in h.log("do a").splitlines() if "can't be used: " in line]
        h.find("do a").cancel("enough")
        await h.until(lambda: h.output == Failed("Cancelled: enough"), timeout=30)
    return line


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    if shutil.which("openssl") is None:
        missing("there is no openssl")
    return Authority(tmp_path_factory.mktemp("authority") / "ca")


@pytest.fixture(scope="module")
def tls_head(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayHead]:
    """A cluster that talks to those alone whose certificates its authority has signed."""
    head = RayHead(tmp_path_factory.mktemp("tls-home"), tls=authority.signed("head"))
    try:
        head.start()
        yield head
    finally:
        head.stop()


async def test_a_cluster_with_certificates_is_used(
    tls_head: RayHead, authority: Authority, tmp_path: Path
) -> None:
    """And with a token, which goes by them."""
    cluster = tls_head.cluster(tls=authority.signed("engine"))

    async def work(job: Job) -> str:
        return await says_where(job, cluster)

    async with one(tmp_path / "state", work) as h:
        await h.until(lambda: isinstance(h.output, Ok | Failed), timeout=60)
        assert h.output == Ok("ray\n")


@pytest.mark.parametrize(
    ("certificate", "says"),
    [
        ("of another authority", "no TLS with "),
        ("missing", "nowhere.pem can't be read: see tls="),
    ],
)
async def test_a_certificate_that_does_not_fit_is_explained(
    tls_head: RayHead, tmp_path: Path, certificate: str, says: str
) -> None:
    if certificate == "missing":
        tls = ray.Tls(*[tmp_path / "nowhere.pem"] * 3)
    else:
        tls = Authority(tmp_path / "other").signed("engine")
    assert says in await explained(tls_head.cluster(tls=tls), tmp_path / "state")


async def test_two_clusters_of_one_address_are_used_at_once(head: RayHead, tmp_path: Path) -> None:
    """They share a driver, which one of them starts."""
    clusters = {"a": head.cluster(label="one"), "b": head.cluster(label="other")}

    async def work(job: Job, name: str) -> str:
        return await says_where(job, clusters[name])

    def pipeline() -> Current[None]:
        return all_of({name: do(partial(work, name=name), name) for name in clusters})

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.until(lambda: isinstance(h.output, Ok | Failed), timeout=60)
        assert h.output == Ok(None)


@pytest.fixture
def short_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of this test: the paths of sockets are short."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="home-") as home:
        monkeypatch.setenv("HOME", home)
        yield Path(home)


async def test_files_of_drivers_are_removed_a_day_after_their_end(
    tmp_path: Path, short_home: Path
) -> None:
    """When the next one is started."""
    folder = short_home / ".cache" / "pycurrent" / "ray"
    folder.mkdir(parents=True)
    for name, days in (("old", 2), ("young", 0)):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as left:
            left.bind(str(folder / name))
        (folder / f"{name}.log").touch()
        ended = time.time() - days * 24 * 3600
        os.utime(folder / name, (ended, ended))
    assert NOT_THERE in await explained(ray.Cluster("127.0.0.1:1"), tmp_path / "state")
    names = {path.name for path in folder.iterdir()}
    assert {"young", "young.log"} < names
    assert not {"old", "old.log"} & names


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ModuleNotFoundError("No module named 'ray'"), "with pip install 'pycurrent[ray]'"),
        (RuntimeError("Version mismatch: The cluster was\n started with:"), "the cluster has"),
        (RuntimeError("Python minor versions differ between client"), "the cluster has"),
        (TimeoutError("no answer within 5 s"), "no answer within 5 s: see token= and tls="),
        (ValueError("odd"), "ValueError: odd"),
    ],
)
def test_failures_to_connect_say_what_to_do(error: Exception, says: str) -> None:
    assert says in explain(error, "head:6379")


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"address": "head"}, UsageError, "takes the address of a head"),
        ({"address": "http://head:1"}, UsageError, "takes the address of a head"),
        ({"lease": 0}, UsageError, "lease= takes a time above 0"),
        ({"cpus": "2"}, WrongKind, "cpus takes a number"),
        ({"cpus": -1}, UsageError, "cpus takes a number of 0 or more"),
        ({"cpus": 0}, UsageError, "asks for something at least"),
        ({"memory": "much"}, UsageError, 'a text like "4G"'),
        ({"resources": {"CPU": 1}}, UsageError, "write cpus= instead of CPU"),
        ({"resources": {"GPU": 1}}, UsageError, "a resource of another name"),
        ({"labels": {"a": 1}}, WrongKind, "labels= takes texts"),
        ({"labels": {"a": "b c$"}}, UsageError, "values like arm64, !arm64 or in"),
        ({"labels": {"a b": "c"}}, UsageError, "values like arm64, !arm64 or in"),
        ({"capacity": 0}, UsageError, "capacity of 1 or more"),
    ],
)
def test_wrong_arguments_are_explained(
    options: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        ray.Cluster(**{"address": "head:6379", **options})


def test_memory_is_written_as_people_do() -> None:
    """In bytes, or with a unit."""
    texts = ("4G", "4GiB", "0.5 m", "2048", 2048)
    asked = [shape_of(1, text, {}, {}).bundle["memory"] for text in texts]
    assert asked == [4 << 30, 4 << 30, 1 << 19, 2048, 2048]


class TrialOfRay(Trial):
    """At a cluster, of which the test knows the processes by their folder."""

    def __init__(self, folder: Path, head: RayHead) -> None:
        super().__init__(folder, ["ray", head.address, head.token])
        self.head = head

    @property
    def running(self) -> list[int]:
        """The command that waits, if it is alive."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                is_ours = (process / "cwd").readlink() == self.folder
                if is_ours and durable.WAITS in (process / "cmdline").read_text().split("\0"):
                    found.append(int(process.name))
        return found

    def clean(self) -> None:
        for pid in (*marked(self.here), *self.running):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def trial(tmp_path: Path, head: RayHead) -> Iterator[TrialOfRay]:
    trial = TrialOfRay(tmp_path, head)
    yield trial
    trial.clean()


async def done(h: Harness) -> None:
    await h.until(lambda: isinstance(h.output, Ok | Failed), timeout=90)
    await h.settle()


async def test_a_job_goes_on_where_it_was(trial: TrialOfRay) -> None:
    """A durable one, on the node that it had, under the next engine."""
    async with trial.killed(), trial.engine() as h:
        await h.until(lambda: h.stats.running == 1)
        await trial.go()
        await done(h)
        assert h.output == Ok("done")
        assert trial.ran == ["first", "second"]
        assert printed(h.log("work")) == PRINTED


async def test_a_job_that_is_not_durable_ends_with_its_engine(trial: TrialOfRay) -> None:
    """And its driver does, and what it has at the cluster."""
    async with trial.killed(is_durable=False):
        await gone(trial.here)
        await all_gone(trial.running)


def kill_drivers(folder: Path) -> int:
    """Kill the drivers that serve the engines below a folder; gives how many."""
    killed = 0
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            is_driver = b"pycurrent.plugins.ray.driver" in (process / "cmdline").read_bytes()
            if is_driver and str(folder).encode() in (process / "environ").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)
                killed += 1
    return killed


async def test_a_driver_that_is_killed_is_started_again(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command goes on meanwhile, and nothing is lost."""
    monkeypatch.setenv("OF_TEST", str(trial.folder))
    async with trial.engine() as h:
        await trial.begun()
        assert kill_drivers(trial.folder) == 1
        await h.until(lambda: "Waiting for the connection to" in h.log("work"), timeout=30)
        await h.until(lambda: "is there again" in h.log("work"), timeout=60)
        await trial.go()
        await done(h)
        assert h.output == Ok("done")
        assert trial.ran == ["first", "second"]
        assert printed(h.log("work")) == PRINTED


@pytest.fixture
def other_head(tmp_path: Path) -> Iterator[RayHead]:
    """A cluster that may be killed."""
    (tmp_path / "home").mkdir()
    head = RayHead(tmp_path / "home", cpus=1)
    try:
        head.start()
        yield head
    finally:
        head.stop()


async def test_a_command_outlives_its_cluster(other_head: RayHead, tmp_path: Path) -> None:
    """It is not known what became of it until the cluster is there again, with other names for the
    same nodes.
    """
    trial = TrialOfRay(tmp_path, other_head)
    try:
        async with trial.engine() as h:
            await trial.begun()
            other_head.kill()
            await h.until(lambda: "Waiting for the connection to" in h.log("work"), timeout=60)
            assert trial.running
            assert h.stats.running == 1
            await asyncio.to_thread(other_head.start)
            await h.until(lambda: "is there again" in h.log("work"), timeout=60)
            await trial.go()
            await done(h)
            assert h.output == Ok("done")
            assert trial.ran == ["first", "second"]
            assert printed(h.log("work")) == PRINTED
    finally:
        trial.clean()


async def test_a_cluster_that_is_gone_for_too_long_loses_its_commands(
    other_head: RayHead, tmp_path: Path
) -> None:
    """Their lease ends them; the job has failed for a reason that is not its work."""
    trial = TrialOfRay(tmp_path, other_head)
    try:
        async with trial.engine(is_durable=False, lease=1.0) as h:
            await trial.begun()
            other_head.kill()
            await h.until(lambda: "has not been heard of for too long" in h.log("work"), timeout=90)
            assert not trial.running
    finally:
        trial.clean()
