"""Commands on a host that are run when they have become others."""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import pycurrent as current
from pycurrent import (
    Active,
    Activity,
    Current,
    Failed,
    FailureKind,
    Level,
    Ok,
    Pool,
    Schedule,
    Secret,
    UsageError,
    Var,
)
from pycurrent.engine.limits import Limits
from pycurrent.plugins import ssh
from pycurrent.plugins.ssh.output import Question, SshOutput
from pycurrent.plugins.ssh.remote import RemoteCommand, RemoteHost
from pycurrent.plugins.ssh.run import Purpose, SshRun
from pycurrent.testing import Harness, check_builder, check_operation

from .processes import command_lines, seconds, sleeping
from .waiting import over

Start = Callable[..., Harness]


async def test_a_command_is_run_when_its_arguments_change(
    host: ssh.Host, start: Start, tmp_path: Path
) -> None:
    """Also when they are again what they were before, since the host is not; not otherwise."""
    said = tmp_path / "said"
    word = Var("word", "one")

    def pipeline() -> current.Current[None]:
        argv = word.get().map(lambda word: ["sh", "-c", f"echo {word} >> {said}"])
        return ssh.run(host, argv, key="say")

    async with start(pipeline) as h:
        await over(h)
        assert h.output == Ok(None)
        assert f"{host} say" in h.dot()
        for new in ("two", "two", "one"):
            word.set(new)
            await h.settle()
            await over(h)
    async with start(pipeline) as h:
        await over(h)
    assert said.read_text() == "one\ntwo\none\n"


async def test_a_command_is_run_again_as_the_schedule_says(
    host: ssh.Host, start: Start, tmp_path: Path
) -> None:
    """On the engine's clock."""
    said = tmp_path / "said"
    hourly = Schedule(valid_for=timedelta(hours=1))
    argv = ["sh", "-c", f"date >> {said}"]
    async with start(lambda: ssh.run(host, argv, key="say", schedule=hourly)) as h:
        await over(h)
        for times in (2, 3):
            await h.advance(timedelta(minutes=59))
            await h.advance(timedelta(minutes=1))
            await over(h)
            assert len(said.read_text().splitlines()) == times


async def test_words_arrive_as_they_are(host: ssh.Host, start: Start) -> None:
    """Whatever shells, here and there, make of such; none is an option of ssh."""
    words = [
        "-oProxyCommand=false",
        "a b",
        "",
        "'",
        '"',
        "$HOME",
        "`id`",
        "x\ny",
        "\\n",
        "*",
        "āŁ!",
    ]
    argv = [sys.executable, "-c", "import sys; print(sys.argv[1:])", *words]
    async with start(lambda: ssh.output(host, argv)) as h:
        await over(h)
        assert h.output == Ok(f"{words}\n")


@pytest.mark.parametrize("stdin", [b"", b"a\0b\n\xff", "grün\n" * 50_000])
async def test_a_command_gets_its_input_to_the_end(
    host: ssh.Host, start: Start, tmp_path: Path, stdin: str | bytes
) -> None:
    """Text as UTF-8, or bytes; and it sees the end of it."""
    file = tmp_path / "got"
    argv = ["sh", "-c", f"cat > {file}"]
    async with start(lambda: ssh.run(host, argv, key="write", stdin=stdin)) as h:
        await over(h)
        assert h.output == Ok(None)
    assert file.read_bytes() == (stdin.encode() if isinstance(stdin, str) else stdin)


async def test_a_changed_input_runs_the_command_again(
    host: ssh.Host, start: Start, tmp_path: Path
) -> None:
    """A current is fine as an input."""
    file = tmp_path / "got"
    text = Var("text", "one")
    argv = ["sh", "-c", f"cat >> {file}"]
    async with start(lambda: ssh.run(host, argv, key="write", stdin=text.get())) as h:
        await over(h)
        text.set("two")
        await h.settle()
        await over(h)
    assert file.read_text() == "onetwo"


@pytest.mark.parametrize(
    ("said", "why"),
    [("", "3 failed"), ("echo no such thing >&2;", "no such thing")],
)
async def test_what_a_command_that_fails_has_printed_is_in_its_log(
    host: ssh.Host, start: Start, said: str, why: str
) -> None:
    """Where it was run for its output; the reason is the last line of its standard error, if it
    has any.
    """
    argv = ["sh", "-c", f"echo 3 failed; {said} exit 1"]
    async with start(lambda: ssh.output(host, argv)) as h:
        await h.settle()
        assert h.output == Failed(f"sh on {host} exited with status 1: {why}")
        assert "\n3 failed\n" in h.log("output of")


async def test_output_is_the_standard_output_only(host: ssh.Host, start: Start) -> None:
    """What goes to standard error is in the log, and so is a command line to try it by hand."""
    argv = ["sh", "-c", "echo out; echo err >&2"]
    async with start(lambda: ssh.output(host, argv)) as h:
        await over(h)
        assert h.output == Ok("out\n")
        log = h.log("output of sh")
    assert "\nerr\n" in log
    assert "\nout\n" not in log
    line = f"Exec: ssh -p {host.port} -l {host.user} -- {host.name} 'sh -c '"
    assert line in log


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (["sh", "-c", "echo no space >&2; exit 7"], "exited with status 7: no space"),
        (["sh", "-c", "exit 255"], "exited with status 255: it has said nothing"),
        (["sh", "-c", "echo odd >&2; exit 255"], "exited with status 255: odd"),
        (["no-such"], "exited with status 127: there is no such command there"),
        (
            ["/etc/passwd"],
            "exited with status 126: it can't be executed there: is it a program, and executable?",
        ),
        (["sh", "-c", "kill -KILL $PPID"], "was killed by a signal"),
    ],
)
async def test_failures_of_the_command_name_the_cause(
    host: ssh.Host, start: Start, command: list[str], reason: str
) -> None:
    """With its own status, 255 too, and the last that it has said."""
    async with start(lambda: ssh.run(host, command, key="fail")) as h:
        await over(h)
        assert h.output == Failed(f"{command[0]} on {host} {reason}")


async def test_a_command_that_is_ended_by_a_signal_says_so(host: ssh.Host, start: Start) -> None:
    """As a shell tells it: 128 and the number of the signal."""
    async with start(lambda: ssh.run(host, ["sh", "-c", "kill -TERM $$"], key="fail")) as h:
        await over(h)
        assert isinstance(h.output, Failed)
        assert h.output.message.startswith(f"sh on {host} exited with status 143: ")


async def test_what_a_command_leaves_behind_stays(host: ssh.Host, start: Start) -> None:
    """It has ended by itself, so what it has started in the background is meant to be there."""
    number = seconds()
    argv = ["sh", "-c", f"sleep {number} > /dev/null 2>&1 &"]
    async with start(lambda: ssh.run(host, argv, key="serve")) as h:
        await over(h)
        assert h.output == Ok(None)
    (left,) = sleeping(number)
    os.kill(left, signal.SIGKILL)


async def test_hosts_may_come_from_a_current(host: ssh.Host, start: Start, tmp_path: Path) -> None:
    """Each of a list that changes."""
    hosts = Var("hosts", [host])

    def pipeline() -> current.Current[None]:
        return hosts.get().list_iter(lambda one: ssh.run(one, ["true"], key="check"), key=str)

    async with start(pipeline) as h:
        await over(h)
        assert h.output == Ok(None)
        assert len(h.history("ssh-run")) == 1


async def test_level_pool_and_label_are_the_users(host: ssh.Host, start: Start) -> None:
    """By default running a command is dangerous."""
    pool = Pool("hosts", 1)
    config = current.Config(confirm=Level.DANGEROUS)

    def pipeline() -> current.Current[None]:
        low = Level.HARMLESS
        two = ssh.run(host, ["true"], key="two", level=low, pool=pool, label="{2}")
        return current.all([ssh.run(host, ["true"], key="one"), two])

    async with start(pipeline, config=config) as h:
        await h.settle()
        assert h.output == Active(Activity.WAITING_FOR_CONFIRMATION)
        assert "{2}" in h.dot()
        assert len(h.history("ssh-run")) == 1


async def test_two_commands_for_one_purpose_are_an_error(host: ssh.Host, start: Start) -> None:
    """Nobody could tell which of them the host is left with."""

    def pipeline() -> current.Current[None]:
        one = ssh.run(host, ["echo", "one"], key="deploy")
        return current.all([one, ssh.run(host, ["echo", "two"], key="deploy")])

    async with start(pipeline) as h:
        await h.settle()
        assert isinstance(h.output, Failed)
        assert "one" in h.output.message
        assert "two" in h.output.message


async def test_a_secret_is_nowhere_but_in_the_commands_input(
    host: ssh.Host, start: Start, tmp_path: Path
) -> None:
    """Not in the log, the database, or what any process shows of itself; a new one changes
    nothing.
    """
    secret, number = "correct-horse-battery", seconds()
    state = tmp_path / "state"
    file = tmp_path / "got"
    argv = ["sh", "-c", f"tee {file}; sleep {number}"]
    async with start(lambda: ssh.run(host, argv, key="login", secret=secret)) as h:
        await h.until(lambda: sleeping(number), timeout=20)
        assert [line for line in command_lines() if secret in line] == []
        assert file.read_text() == secret
        h.find("login").cancel("enough")
        await over(h)
        assert "****" in h.log("login")
    async with start(lambda: ssh.run(host, ["true"], key="login", secret=secret)) as h:
        await over(h)
    async with start(lambda: ssh.run(host, ["true"], key="login", secret="another")) as h:
        await over(h)
        assert h.output == Ok(None)
        assert len(h.history("ssh-run")) == 2
    kept = b"".join(path.read_bytes() for path in state.rglob("*") if path.is_file())
    assert secret.encode() not in kept
    assert secret not in repr(RemoteHost(host, secret))


async def test_a_secret_is_read_by_each_job(host: ssh.Host, start: Start, tmp_path: Path) -> None:
    """If it is named by its place; one that is missing is the machine's fault."""
    place, got = tmp_path / "password", tmp_path / "got"
    place.write_text("correct-horse-battery\n")
    secret = Secret.from_file(place)

    def pipeline(number: int) -> Current[None]:
        return ssh.run(host, ["sh", "-c", f"cat > {got}; : {number}"], key="login", secret=secret)

    async with start(lambda: pipeline(1)) as h:
        await over(h)
        assert h.output == Ok(None)
    assert got.read_text() == "correct-horse-battery"
    place.write_text("another-horse-battery\n")
    async with start(lambda: pipeline(2)) as h:
        await over(h)
        assert h.output == Ok(None)
    assert got.read_text() == "another-horse-battery"
    place.unlink()
    async with start(lambda: pipeline(3)) as h:
        await over(h)
        assert isinstance(h.output, Failed)
        assert h.output.kind is FailureKind.INFRA
        assert "password" in h.output.message


def test_a_number_is_no_secret() -> None:
    """The message does not have it."""
    wrong: Any = 4711
    with pytest.raises(UsageError, match=r"secret= takes a Secret or a text, not a int") as refused:
        ssh.run(ssh.Host("host"), ["cat"], key="x", secret=wrong)
    assert "4711" not in str(refused.value)


@pytest.mark.parametrize(
    "name",
    ["", "-oProxyCommand=touch x", "a b", "a;b", "$(id)", "a\nb", "user@host", "host/x", "a`b`"],
)
def test_what_can_be_no_host_is_refused(name: str) -> None:
    """Names may come from outside."""
    with pytest.raises(UsageError, match="is not the name of a host"):
        ssh.Host(name)
    with pytest.raises(UsageError, match="is not the name of a user"):
        ssh.Host("host", user=name.replace("@", " "))


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_what_can_be_no_port_is_refused(port: int) -> None:
    """It would be found out late otherwise."""
    with pytest.raises(UsageError, match="is not a port"):
        ssh.Host("host", port=port)


@pytest.mark.parametrize("argv", [[], [""], ["-oProxyCommand=x"], "echo", ["a\0b"]])
async def test_what_can_be_no_command_is_refused(
    host: ssh.Host, start: Start, argv: list[str]
) -> None:
    """Before anything is connected."""
    async with start(lambda: ssh.run(host, argv, key="none")) as h:
        await h.settle()
        assert isinstance(h.output, Failed)
        assert not h.history()


def test_a_command_reads_one_thing() -> None:
    """Its input or its secret."""
    with pytest.raises(UsageError, match="not both"):
        ssh.run(ssh.Host("host"), ["cat"], key="x", stdin="a", secret="b")


@pytest.mark.parametrize(
    ("host", "text"),
    [
        (ssh.Host("web1"), "web1"),
        (ssh.Host("web1", "ci", 22), "ci@web1:22"),
        (ssh.Host("fe80::1%eth0", port=2222), "[fe80::1%eth0]:2222"),
    ],
)
def test_hosts_are_named_as_people_do(host: ssh.Host, text: str) -> None:
    """By what says where the command is run, not by how one gets there."""
    assert str(host) == text


def test_the_agent_is_forwarded_only_if_asked_for(tmp_path: Path) -> None:
    """Who is root on the host could use it."""
    assert {"-a", "-x"} <= set(ssh.Host("web1").client(tmp_path, "true", (9, 2)))
    words = ssh.Host("web1", forward_agent=True).client(tmp_path, "true", (9, 2))
    assert "-A" in words
    assert "-a" not in words


async def test_a_job_that_is_cancelled_early_leaves_no_client(
    host: ssh.Host, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even the one that it has asked for its version."""
    pid = tmp_path / "pid"
    client = tmp_path / "bin" / "ssh"
    client.parent.mkdir()
    client.write_text(f'#!/bin/sh\necho $$ > {pid}\nsleep 0.3\nexec {shutil.which("ssh")} "$@"\n')
    client.chmod(0o700)
    monkeypatch.setenv("PATH", str(client.parent), prepend=os.pathsep)
    async with start(lambda: ssh.run(host, ["true"], key="check")) as h:
        await h.until(lambda: pid.exists() and pid.read_text())
        (handle,) = h.jobs.values()
        handle.cancel("enough")
        await h.until(lambda: handle.job is None)
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid.read_text()), 0)


async def test_run_keeps_the_rules_of_operations(host: ssh.Host, tmp_path: Path) -> None:
    """What each operation has to keep."""
    await check_operation(
        SshRun(RemoteHost(host), Limits(Level.DANGEROUS)),
        Purpose(str(host), "check"),
        RemoteCommand(("sh", "-c", "cat; sleep 0.2"), b"\xff"),
        failing=(Purpose(str(host), "check"), RemoteCommand(("false",))),
        others=[(Purpose("b", "check"), RemoteCommand(("a", "b\nc"), "text"))],
        state_dir=tmp_path / "check",
    )


async def test_output_keeps_the_rules_of_operations(host: ssh.Host, tmp_path: Path) -> None:
    """What each operation has to keep."""
    await check_builder(
        SshOutput(RemoteHost(host), Limits(Level.AVERAGE)),
        Question(str(host), RemoteCommand(("sh", "-c", "sleep 0.2; echo hello"))),
        value="hello\n",
        failing=Question(str(host), RemoteCommand(("false",))),
        state_dir=tmp_path / "check",
    )
