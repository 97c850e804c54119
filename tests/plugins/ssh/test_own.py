"""Status and output are the command's own, whatever the host prints and the settings say."""

import os
import pwd
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pycurrent import Failed, Ok, UsageError
from pycurrent.plugins import ssh
from pycurrent.testing import Harness

from ..sshd import Sshd
from .waiting import over

Start = Callable[..., Harness]
To = Callable[..., ssh.Host]

BANNER = "*** AUTHORIZED USE ONLY ***\nPermission denied (no space left on device).\n"


@contextmanager
def talkative(key: Path, folder: Path, to: To, *options: str, rc: str = "") -> Iterator[ssh.Host]:
    """A host with a banner, whose login shell reads a file that prints."""
    folder.mkdir()
    (folder / "banner").write_text(BANNER)
    # Read by a bash that is sshd's.
    (folder / ".bashrc").write_text(rc or "echo welcome\necho oops >&2\n")
    environment = {"HOME": str(folder)}
    server = Sshd(folder, environment=environment, options=[f"Banner {folder}/banner"])
    server.authorize(key, *options)
    server.start()
    try:
        yield to(server)
    finally:
        server.stop()


with_bash = pytest.mark.skipif(
    not pwd.getpwuid(os.getuid()).pw_shell.endswith("/bash"), reason="the login shell is not bash"
)


@with_bash
async def test_a_banner_is_none_of_the_commands_words(
    key: Path, to: To, start: Start, tmp_path: Path
) -> None:
    """Nor is what files print that a shell reads at its start: neither in the failure, nor in the
    log, nor in the output.
    """
    with talkative(key, tmp_path / "host", to) as host:
        async with start(lambda: ssh.run(host, ["sh", "-c", "exit 7"], key="fail")) as h:
            await over(h)
            assert h.output == Failed(f"sh on {host} exited with status 7: it has said nothing")
            log = h.log("fail")
        async with start(lambda: ssh.output(host, ["sh", "-c", "exit 7"])) as h:
            await over(h)
            assert h.output == Failed(f"sh on {host} exited with status 7: it has said nothing")
            log += h.log("output of")
        script = "echo out; echo err >&2; exit 7"
        async with start(lambda: ssh.run(host, ["sh", "-c", script], key="tell")) as h:
            await over(h)
            assert h.output == Failed(f"sh on {host} exited with status 7: err")
            log += h.log("tell")
        async with start(lambda: ssh.output(host, ["echo", "42"])) as h:
            await over(h)
            assert h.output == Ok("42\n")
            log += h.log("output of")
    assert "\nout\nerr\n" in log
    assert [
        line for line in ("AUTHORIZED", "welcome", "oops", "pycurrent-ssh:") if line in log
    ] == []


@pytest.mark.parametrize("output", ["", "no newline", "welcome\n", "\0\n\n", "x" * 200_000])
async def test_an_output_is_whole(
    key: Path, to: To, start: Start, tmp_path: Path, output: str
) -> None:
    """Whatever is in it, and whatever comes before."""
    with talkative(key, tmp_path / "host", to, rc="printf 'no end of a line'") as host:
        (tmp_path / "output").write_text(output)
        async with start(lambda: ssh.output(host, ["cat", str(tmp_path / "output")])) as h:
            await over(h)
            assert h.output == Ok(output)


@with_bash
async def test_a_file_that_ends_the_shell_is_told(
    key: Path, to: To, start: Start, tmp_path: Path
) -> None:
    """Its words are all that there is then; the banner is not among them."""
    with talkative(key, tmp_path / "host", to, rc="echo closed today; exit 3") as host:
        async with start(lambda: ssh.run(host, ["true"], key="try")) as h:
            await over(h)
            assert h.output == Failed(f"true on {host} exited with status 3: closed today")
            assert "AUTHORIZED" not in h.log("try")


async def test_a_key_for_one_command_gives_the_output_of_that(
    key: Path, to: To, start: Start, tmp_path: Path
) -> None:
    """It is not run by our script, so nothing says where it begins; the banner is left out."""
    size = 300_000
    forced = f'command="printf %{size}s x; echo err >&2"'
    with talkative(key, tmp_path / "host", to, forced, rc=":") as host:
        async with start(lambda: ssh.output(host, ["anything"])) as h:
            await over(h)
            assert h.output == Ok(" " * (size - 1) + "x")
            assert "\nerr\n" in h.log("output of")
            assert "AUTHORIZED" not in h.log("output of")
        async with start(lambda: ssh.run(host, ["anything"], key="run")) as h:
            await over(h)
            assert h.output == Ok(None)
            assert " " * (size - 1) + "x" in h.log("run")


SETTINGS = [
    "ForkAfterAuthentication yes",
    "StdinNull yes",
    "SessionType none",
    "SessionType subsystem",
    "RemoteCommand echo other",
    "RequestTTY force",
    "EscapeChar ~",
    "PermitLocalCommand yes\n LocalCommand echo local; exit 1",
    "ControlMaster auto\n ControlPath ~/.ssh/mux-%C\n ControlPersist 1",
    "LogLevel QUIET",
    "LogLevel DEBUG3",
    "VisualHostKey yes",
    "Tunnel yes\n ExitOnForwardFailure yes",
    "RemoteForward 1 localhost:1\n ExitOnForwardFailure yes",
    "LocalForward 1 localhost:1",
    "DynamicForward 1",
    "ForwardX11 yes\n ForwardX11Trusted yes",
    "BatchMode no\n NumberOfPasswordPrompts 3",
    "PubkeyAuthentication no",
    "GatewayPorts yes",
]


@pytest.mark.parametrize("setting", SETTINGS)
async def test_no_setting_changes_how_a_command_is_run(
    server: Sshd, to: To, start: Start, tmp_path: Path, setting: str
) -> None:
    """It gets its input, its output comes, and its status is its own."""
    config = tmp_path / "config"
    config.write_text(f"Host *\n {setting}\n")
    host = to(server, config=config)
    script = "read -r line; echo $line ~.; sleep 0.3; echo said >&2; exit 7"
    async with start(lambda: ssh.run(host, ["sh", "-c", script], key="try", stdin="in\n~.\n")) as h:
        await over(h)
        assert h.output == Failed(f"sh on {host} exited with status 7: said")
        assert "\nin ~.\nsaid\n" in h.log("try")
    async with start(lambda: ssh.output(host, ["sh", "-c", "tty; echo $DISPLAY"])) as h:
        await over(h)
        assert h.output == Ok("not a tty\n\n")


async def test_the_host_here_has_to_be_known_too(
    server: Sshd, to: To, start: Start, tmp_path: Path
) -> None:
    """Settings can make ssh trust this machine's own keys."""
    (tmp_path / "config").write_text("Host *\n NoHostAuthenticationForLocalhost yes\n")
    (tmp_path / "known").touch()
    host = to(server, config=tmp_path / "config", known_hosts=tmp_path / "known")
    async with start(lambda: ssh.run(host, ["true"], key="try")) as h:
        await over(h)
        assert isinstance(h.output, Failed)
        assert "its host key is not known" in h.output.message


@pytest.mark.parametrize("user", ["DOMAIN\\name", "corp.example\\j.doe", "MACHINE$", "a@b.example"])
def test_users_of_a_directory(user: str) -> None:
    """With the domain that they are of."""
    assert str(ssh.Host("web1", user)) == f"{user}@web1"


@pytest.mark.parametrize("user", ["\\name", "a\\", "a\\b\\c", "a\\-b", "a\\$(id)", "a;b"])
def test_what_can_be_no_user_of_a_directory(user: str) -> None:
    """Names may come from outside."""
    with pytest.raises(UsageError, match="is not the name of a user"):
        ssh.Host("web1", user)


async def test_an_argument_that_is_too_long_for_the_host(host: ssh.Host, start: Start) -> None:
    """It says so, and what to do; there may be many of the length that is possible."""
    async with start(lambda: ssh.output(host, ["printf", "%s", "x" * 100_000, "y" * 100_000])) as h:
        await over(h)
        assert h.output == Ok("x" * 100_000 + "y" * 100_000)
    async with start(lambda: ssh.output(host, ["printf", "%s", "x" * 200_000])) as h:
        await over(h)
        assert h.output == Failed(
            f"printf on {host} exited with status 126: its arguments are too long for the host, "
            "where one can have 128 KiB: pass long text as stdin="
        )
