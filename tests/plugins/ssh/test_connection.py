"""What gets to a host, and what does not."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from pycurrent import Failed, FailureKind, Ok
from pycurrent.plugins import ssh
from pycurrent.testing import Harness

from ..sshd import Sshd, new_key
from .processes import break_connections, seconds, sleeping
from .waiting import over

Start = Callable[..., Harness]
To = Callable[..., ssh.Host]


async def message(start: Start, host: ssh.Host) -> str:
    """Why nothing can be run there."""
    async with start(lambda: ssh.run(host, ["true"], key="try")) as h:
        await over(h)
        assert isinstance(h.output, Failed)
        return h.output.message


async def test_an_unknown_host_key_is_refused(
    server: Sshd, to: To, start: Start, tmp_path: Path
) -> None:
    """And not learned; with a word on what to do."""
    known = tmp_path / "empty"
    known.touch()
    host = to(server, known_hosts=known)
    assert await message(start, host) == (
        f"{host} can't be reached: its host key is not known: put the ED25519 key of "
        f"[{server.host}]:{server.port} into known_hosts"
    )
    assert known.read_text() == ""


async def test_settings_of_the_user_do_not_weaken_the_check(
    server: Sshd, to: To, start: Start, tmp_path: Path
) -> None:
    """Nor turn on what would outlive the command."""
    config = tmp_path / "config"
    config.write_text(
        "Host *\n StrictHostKeyChecking no\n BatchMode no\n RemoteCommand touch x\n"
        f" ControlMaster auto\n ControlPath {tmp_path}/mux\n ControlPersist yes\n"
        " RequestTTY force\n LogLevel QUIET\n"
    )
    (tmp_path / "empty").touch()
    refused = to(server, config=config, known_hosts=tmp_path / "empty")
    assert "its host key is not known" in await message(start, refused)
    accepted = to(server, config=config)
    async with start(lambda: ssh.output(accepted, ["sh", "-c", "tty; echo out"])) as h:
        await over(h)
        assert h.output == Ok("not a tty\nout\n")
    assert not (tmp_path / "mux").exists()


async def test_a_changed_host_key_is_refused(own_server: Sshd, to: To, start: Start) -> None:
    """It may be another machine."""
    host = to(own_server)
    own_server.stop()
    own_server.change_host_key()
    own_server.start()
    said = await message(start, host)
    assert said.startswith(f"{host} can't be reached: its host key has changed: ")


async def test_a_wrong_key_is_refused(server: Sshd, to: To, start: Start, tmp_path: Path) -> None:
    """No other key is tried than the one that is given."""
    host = to(server, identity=new_key(tmp_path / "other"))
    assert await message(start, host) == (
        f"{host} can't be reached: permission denied (publickey): "
        "is the key the right one, and the user?"
    )


@pytest.mark.parametrize("file", ["identity", "known_hosts", "config"])
async def test_a_missing_file_is_named(
    server: Sshd, to: To, start: Start, tmp_path: Path, file: str
) -> None:
    """ssh would only say that permission is denied."""
    gone = tmp_path / "no such %h file"
    host = to(server, **{file: gone})
    assert await message(start, host) == (
        f"{host} needs the file {gone}, which is missing or can't be read"
    )


async def test_paths_are_taken_as_they_are(
    server: Sshd, key: Path, to: To, start: Start, tmp_path: Path
) -> None:
    """With blanks, and with what ssh would replace."""
    folder = tmp_path / "it's %h ~ here"
    folder.mkdir()
    (folder / "id").write_text(key.read_text())
    (folder / "id").chmod(0o600)
    (folder / "known").write_text(server.known_hosts_line)
    host = to(server, identity=folder / "id", known_hosts=folder / "known")
    async with start(lambda: ssh.run(host, ["true"], key="try")) as h:
        await over(h)
        assert h.output == Ok(None)


async def test_a_host_that_does_not_listen_is_named(own_server: Sshd, to: To, start: Start) -> None:
    """And can be reached once it does."""
    host = to(own_server)
    own_server.stop()
    async with start(lambda: ssh.run(host, ["true"], key="try")) as h:
        await over(h)
        assert h.output == Failed(
            f"{host} can't be reached: connect to host {host.name} port {host.port}: "
            "Connection refused"
        )
        assert isinstance(h.output, Failed)
        assert h.output.kind is FailureKind.INFRA
        own_server.start()
        h.find("try").rebuild()
        await h.settle()
        await over(h)
        assert h.output == Ok(None)


async def test_a_host_that_does_not_answer_is_given_up(server: Sshd, to: To, start: Start) -> None:
    """After the time that it is given: one second, here."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        host = to(server, port=port, connect_timeout=1)
        said = await message(start, host)
    assert said.startswith(f"{host} can't be reached: ")
    assert "timed out" in said


async def test_a_name_that_is_not_known_is_named(server: Sshd, to: To, start: Start) -> None:
    """With the resolver's words."""
    with_name = ssh.Host("no-such-host.invalid")
    said = await message(start, with_name)
    assert "Could not resolve hostname no-such-host.invalid" in said


async def test_a_connection_that_is_lost_is_no_failure_of_the_command(
    own_server: Sshd, to: To, start: Start
) -> None:
    """It is told, and what was run over there is ended."""
    host, number = to(own_server), seconds()
    argv = ["sh", "-c", f"echo begun; sleep {number}"]
    async with start(lambda: ssh.run(host, argv, key="try")) as h:
        await h.until(lambda: sleeping(number), timeout=20)
        break_connections(own_server)
        await over(h)
        assert isinstance(h.output, Failed)
        assert h.output.message.startswith(
            f"the connection to {host} was lost while the command ran: "
        )
        await h.until(lambda: not sleeping(number), timeout=20)


async def test_a_host_behind_another_is_reached_as_the_config_says(
    server: Sshd, own_server: Sshd, key: Path, to: To, start: Start, tmp_path: Path
) -> None:
    """By ProxyJump; a cancel goes all the way, and what is wrong between is told."""
    known = tmp_path / "all"
    known.write_text(server.known_hosts_line + own_server.known_hosts_line)
    config = tmp_path / "config"
    config.write_text(
        f"Host inner\n HostName {server.host}\n Port {server.port}\n User {server.user}\n"
        f" ProxyJump outer\n"
        f"Host outer\n HostName {own_server.host}\n Port {own_server.port}\n"
        f" User {own_server.user}\n"
        f"Host *\n IdentityFile {key}\n UserKnownHostsFile {known}\n"
    )
    number = seconds()
    inner = ssh.Host("inner", config=config)
    async with start(lambda: ssh.run(inner, ["sleep", number], key="try")) as h:
        await h.until(lambda: sleeping(number), timeout=20)
        h.find("try").cancel("enough")
        await over(h)
        assert sleeping(number) == []
    own_server.stop()
    said = await message(start, inner)
    assert said.startswith("inner can't be reached: ")
    assert "Connection refused" in said
