"""Containers that are run, and what is left of them: nothing."""

import re
import shlex
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

import pytest

import pycurrent as current
from pycurrent import Failed, Ok, Pool, UsageError, Var
from pycurrent.engine import Level
from pycurrent.engine.limits import Limits
from pycurrent.plugins import docker
from pycurrent.plugins.docker.client import Client
from pycurrent.plugins.docker.container import FOLDER_LABEL, STATE_LABEL, RunKey
from pycurrent.plugins.docker.run import DockerRun
from pycurrent.plugins.docker.secrets import DockerSecrets
from pycurrent.testing import Harness, check_builder

from .conftest import BASE
from .engine import DockerEngine
from .killing import go_on, kill_at_work
from .waiting import over, until

Start = Callable[..., Harness]


async def test_pread_gives_the_standard_output_only(
    context: docker.Context, base: docker.Image, start: Start
) -> None:
    """What goes to standard error is in the log."""
    args = ["sh", "-c", "echo out; echo err >&2"]
    async with start(lambda: context.pread(base, args=args)) as h:
        await over(h)
        assert h.output == Ok("out\n")
        assert "\nerr\n" in h.log("pread")


async def test_run_takes_options_of_docker_run(
    context: docker.Context, base: docker.Image, start: Start
) -> None:
    """Such as the working directory, or the name of the host."""
    options = ["--workdir=/bin", "--hostname=box"]
    async with start(
        lambda: context.pread(base, args=["sh", "-c", "pwd; hostname"], run_args=options)
    ) as h:
        await over(h)
        assert h.output == Ok("/bin\nbox\n")


async def test_a_failing_command_gives_its_status(
    context: docker.Context, base: docker.Image, start: Start, engine: DockerEngine
) -> None:
    """That of the command, not of `docker`; and the container is gone."""
    async with start(lambda: context.run(base, args=["sh", "-c", "echo no; exit 7"])) as h:
        await over(h)
        assert h.output == Failed("the command in the container exited with status 7")
        assert "\nno\n" in h.log("run")
    assert engine.containers() == []


@pytest.mark.parametrize(
    ("image", "args", "reason"),
    [
        (None, ["nosuch"], "the command in the container exited with status 127: it was not found"),
        ("sha256:" + "0" * 64, ["true"], r"docker create: .*(No such image|not found).*"),
    ],
)
async def test_failures_name_the_cause(
    context: docker.Context,
    base: docker.Image,
    start: Start,
    image: str | None,
    args: list[str],
    reason: str,
) -> None:
    """What the engine has to say, not that a command of `docker` has failed."""
    asked = base if image is None else docker.Image(image)
    async with start(lambda: context.run(asked, args=args)) as h:
        await over(h)
        assert isinstance(h.output, Failed)
        assert re.fullmatch(reason, h.output.message, re.DOTALL), h.output.message


async def test_an_engine_that_is_not_there_is_named(start: Start, tmp_path: Path) -> None:
    """With its address."""
    nowhere = docker.Context(f"unix://{tmp_path}/none.sock")
    async with start(lambda: nowhere.run(docker.Image("sha256:" + "0" * 64))) as h:
        await over(h)
        assert isinstance(h.output, Failed)
        assert f"unix://{tmp_path}/none.sock" in h.output.message


async def test_a_cancelled_run_leaves_nothing(
    context: docker.Context, base: docker.Image, start: Start, engine: DockerEngine
) -> None:
    """Neither the container, stopped or not, nor its processes."""
    async with start(lambda: context.run(base, args=["sh", "-c", "sleep 4001 & sleep 4001"])) as h:
        await h.until(lambda: len(engine.processes("4001")) == 2, timeout=20)
        h.find("run").cancel("enough")
        await over(h)
        assert h.output == Failed("Cancelled: enough")
        assert engine.containers() == []
        assert engine.processes("4001") == []


async def test_a_cancelled_container_may_end_by_itself(
    context: docker.Context, base: docker.Image, start: Start, engine: DockerEngine
) -> None:
    """It is told to, and has some seconds."""
    script = "trap 'sleep 1; echo bye > /out/said; exit' TERM; while :; do sleep 0.1; done"
    options = [f"--volume={engine.folder}:/out"]
    async with start(
        lambda: context.run(base, args=["sh", "-c", script, "mark"], run_args=options)
    ) as h:
        await h.until(lambda: engine.processes("mark"), timeout=20)
        h.find("run").cancel("enough")
        await over(h)
    assert (engine.folder / "said").read_text() == "bye\n"
    assert engine.containers() == []


async def test_what_nobody_needs_is_stopped(
    context: docker.Context, base: docker.Image, start: Start, engine: DockerEngine
) -> None:
    """A new input takes the place of the old one, whose container goes."""
    seconds = Var("seconds", "4003")
    script = seconds.get().map(lambda s: ["sh", "-c", f"sleep {s}; echo {s}"])
    async with start(lambda: context.pread(base, args=script)) as h:
        await h.until(lambda: engine.processes("4003"), timeout=20)
        seconds.set("0")
        await over(h)
        assert h.output == Ok("0\n")
        await h.until(lambda: engine.containers() == [], timeout=20)


async def test_a_timeout_stops_the_container(
    context: docker.Context, base: docker.Image, start: Start, engine: DockerEngine
) -> None:
    """The failure says that it was the time."""
    async with start(lambda: context.run(base, args=["sleep", "4004"], timeout=3600)) as h:
        await h.until(lambda: engine.processes("4004"), timeout=20)
        h.clock.move(timedelta(hours=2))
        await over(h)
        assert h.output == Failed("Timed out after 1 h")
    assert engine.containers() == []


async def test_what_other_jobs_have_left_is_removed(
    context: docker.Context, base: docker.Image, start: Start, engine: DockerEngine, tmp_path: Path
) -> None:
    """When something is run in the same state directory; what others are at work on stays."""
    here = Var("script", "sleep 40005")
    script = here.get().map(lambda text: ["sh", "-c", text])
    async with start(lambda: context.run(base, args=script)) as h:
        await h.until(lambda: engine.processes("40005"), timeout=20)
        [state] = labels(engine)
        for name, mine, folder in (
            ("left", state, tmp_path / "gone"),
            ("at-work", state, tmp_path),
            ("others", "0" * 64, tmp_path / "gone"),
        ):
            engine.docker(
                *("run", "--detach", f"--name={name}", f"--label={STATE_LABEL}={mine}"),
                *(f"--label={FOLDER_LABEL}={folder}", base.id, "sleep", "4005"),
            )
        here.set("true")
        await over(h)
        assert h.output == Ok(None)
        await h.until(lambda: len(engine.containers()) == 2, timeout=20)
        assert sorted(engine.containers()) == ["at-work", "others"]
    engine.docker("rm", "--force", *engine.containers())


async def test_an_engine_that_dies_in_a_run_is_named(
    new_engine: Callable[[], AbstractContextManager[DockerEngine]], start: Start
) -> None:
    """The message says so; and what it has left is gone after the next run of whatever it be."""
    with new_engine() as engine:
        context = docker.Context(engine.host, engine.config)
        base = docker.Image(engine.docker("image", "inspect", "--format", "{{.Id}}", BASE))
        args = Var("args", ["sleep", "4006"])
        async with start(lambda: context.run(base, args=args.get())) as h:
            await h.until(lambda: engine.processes("4006"), timeout=20)
            engine.kill()
            await over(h)
            assert isinstance(h.output, Failed)
            assert h.output.message.startswith("docker start: the engine has broken off")
            assert "Could not remove the container" in h.log("run")
            engine.start()
            assert len(engine.containers()) == 1
            args.set(["true"])
            await h.until(lambda: isinstance(h.output, Ok), timeout=30)
            assert engine.containers() == []


@pytest.mark.parametrize("script", ["sleep 4007", "yes"], ids=["silent", "chatty"])
async def test_a_container_ends_with_our_engine(
    base: docker.Image, engine: DockerEngine, tmp_path: Path, script: str
) -> None:
    """Whatever it is about, also when it writes to where nobody reads any more."""
    work = f"run(docker.Image({base.id!r}), args=['sh', '-c', {script!r}, 'mark'])"
    await kill_at_work(tmp_path, engine, work, "mark")
    await until(lambda: not engine.containers())
    assert engine.processes("mark") == []


async def test_a_container_outlives_our_engine(
    base: docker.Image, engine: DockerEngine, tmp_path: Path
) -> None:
    """The next one goes on with it; its log has all of the output, once."""
    script = "echo first; until [ -e /go ]; do sleep 0.1; done; echo second"
    work = f"run(docker.Image({base.id!r}), args=['sh', '-c', {script!r}, 'lives'])"
    await kill_at_work(tmp_path, engine, work, "lives", lease="10m")
    (container,) = engine.containers()
    engine.docker("exec", container, "touch", "/go")
    log = await go_on(tmp_path)
    assert (log.count("\nfirst\n"), log.count("\nsecond\n")) == (1, 1)
    assert log.count("start --attach") == 1
    assert engine.containers() == []


async def test_its_files_outlive_our_engine(
    base: docker.Image, engine: DockerEngine, tmp_path: Path
) -> None:
    """The next one saves them, though the run began under the one that was killed."""
    script = "until [ -e /go ]; do sleep 0.1; done; mkdir /out; echo made > /out/file"
    args = f"args=['sh', '-c', {script!r}, 'makes']"
    work = f"run(docker.Image({base.id!r}), {args}, outputs='/out/**')"
    await kill_at_work(tmp_path, engine, work, "makes", lease="10m")
    (container,) = engine.containers()
    engine.docker("exec", container, "touch", "/go")
    log = await go_on(tmp_path)
    assert log.count("start --attach") == 1
    assert engine.containers() == []
    kept = (tmp_path / ".pycurrent" / "files").rglob("*")
    assert any(path.is_file() and path.read_bytes() == b"made\n" for path in kept)


async def test_secrets_are_in_the_container_only(
    context: docker.Context, base: docker.Image, start: Start, tmp_path: Path
) -> None:
    """Not in the log, the arguments of a process, or anything else that is kept."""
    secret = "hush-hush-4711"
    args = ["sh", "-c", 'echo "$TOKEN" | rev; echo "$TOKEN" >&2']
    async with start(lambda: context.pread(base, args=args, secrets={"TOKEN": secret})) as h:
        await over(h)
        assert h.output == Ok(secret[::-1] + "\n")
        assert "****" in h.log("pread")
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert secret.encode() not in file.read_bytes(), file


async def test_names_of_secrets_are_checked(context: docker.Context, base: docker.Image) -> None:
    """Those that `docker` itself obeys are refused."""
    for name in ("", "A B", "PATH", "DOCKER_HOST", "-x"):
        with pytest.raises(UsageError, match="can't be the name of a secret"):
            context.run(base, secrets={name: "value"})


async def test_a_pool_limits_how_many_run(
    context: docker.Context, base: docker.Image, start: Start, engine: DockerEngine
) -> None:
    """As many containers as the pool has places."""
    pool = Pool("two", 2)
    runs = [context.run(base, args=["sleep", "1", f"0.{n}"], pool=pool) for n in range(4)]
    async with start(lambda: current.all(runs)) as h:
        most = 0

        def watch() -> bool:
            nonlocal most
            most = max(most, len(engine.containers()))
            return isinstance(h.output, Ok)

        await h.until(watch, timeout=60)
        assert most == 2


async def test_run_keeps_the_rules(
    context: docker.Context, base: docker.Image, tmp_path: Path
) -> None:
    """The checks that all operations pass."""
    client = Client(context.host, context.config)
    await check_builder(
        DockerRun(client, DockerSecrets(), Limits(Level.AVERAGE)),
        RunKey(client.engine, base.id, ("true",), ()),
        others=[RunKey(client.engine, base.id, ("true",), ("--init",))],
        failing=RunKey(client.engine, base.id, ("false",), ()),
        other_context=DockerRun(client, DockerSecrets({"A": "abc"}), Limits(Level.DANGEROUS)),
        state_dir=tmp_path,
    )


async def test_the_label_is_the_command(
    context: docker.Context, base: docker.Image, start: Start
) -> None:
    """As in a shell; or what the user says, word for word."""
    argv = ["sh", "-c", "true 'a b'"]
    pipeline = [context.run(base, args=argv), context.run(base, label="test {x}")]
    async with start(lambda: current.all(pipeline)) as h:
        labels = [node.label for node in h.graph().nodes]
        assert f"run {shlex.join(argv)}" in labels
        assert "test {x}" in labels


def labels(engine: DockerEngine) -> list[str]:
    form = f'{{{{.Label "{STATE_LABEL}"}}}}'
    return engine.docker("ps", "--all", "--format", form).split()


async def test_a_container_is_run_once(
    context: docker.Context, base: docker.Image, start: Start
) -> None:
    """An option that has it started again, or kept, is not heeded: it would never end."""
    async with start(
        lambda: context.run(base, args=["sh", "-c", "exit 3"], run_args=["--restart=always"])
    ) as h:
        await over(h)
        assert h.output == Failed("the command in the container exited with status 3")
