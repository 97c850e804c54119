"""The program that stands between an engine and an `ssh`."""

import ast
import fcntl
import json
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycurrent.plugins.ssh import ssh_client
from pycurrent.plugins.ssh.ssh_client import Said

from .waiting import until

CONNECTED, BEGUN = "mark: connected 1", "mark: begun 2"


def heard(chunks: list[bytes]) -> bytes:
    """What comes of an output that arrives in these pieces."""
    passed = bytearray()
    said = Said(CONNECTED, BEGUN, passed.extend)
    for chunk in chunks:
        said.take(chunk)
    said.end()
    return bytes(passed)


@pytest.mark.parametrize(
    ("output", "rest"),
    [
        (f"banner\n{CONNECTED}\nwelcome\n{BEGUN}\nout\n{BEGUN}\n", f"out\n{BEGUN}\n"),
        (f"no end of a line{BEGUN}\nout", "out"),
        (f"{BEGUN}\n", ""),
        (f"banner\n{CONNECTED}\nof another command\n", "of another command\n"),
        ("nothing connected\n", "nothing connected\n"),
        ("", ""),
    ],
)
def test_the_beginning_is_found_wherever_an_output_is_cut(output: str, rest: str) -> None:
    """In two, at each byte."""
    data = output.encode()
    for at in range(len(data) + 1):
        assert heard([data[:at], data[at:]]) == rest.encode()


@given(st.lists(st.binary(max_size=20)), st.lists(st.integers(0, 60)))
def test_all_that_a_command_prints_is_passed_on(printed: list[bytes], cuts: list[int]) -> None:
    """In pieces of any size, of bytes of any kind."""
    before, after = f"a\n{CONNECTED}\nb\n{BEGUN}\n".encode(), b"".join(printed)
    data, places = before + after, sorted({0, *cuts})
    chunks = [data[a:b] for a, b in zip(places, [*places[1:], len(data)], strict=True)]
    assert heard(chunks) == after


def test_it_waits_no_longer_for_a_command_that_is_not_ours() -> None:
    """A key may be for another one, which prints much."""
    passed = bytearray()
    said = Said(CONNECTED, BEGUN, passed.extend)
    for _ in range(5):
        said.take(b"x" * 30_000)
    assert len(passed) == 150_000


@contextmanager
def running(
    folder: Path, script: str, data: bytes = b"", stdout: Any = subprocess.PIPE, **more: Any
) -> Iterator[Any]:
    """The program at work, with a script for sh in place of ssh, run in the folder."""
    request = {
        "client": ["sh", "-c", f"cd {folder}; {script}"],
        "folder": str(folder),
        "connected": CONNECTED,
        "begun": BEGUN,
        "output": None,
        "payload": None,
    }
    with (folder / "request").open("w+b") as file:
        file.write(json.dumps({**request, **more}).encode() + b"\n" + data)
        file.seek(0)
        program = subprocess.Popen(
            [sys.executable, ssh_client.__file__],
            stdin=file,
            stdout=stdout,
            stderr=subprocess.PIPE,
        )
    try:
        yield program
    finally:
        program.kill()
        program.communicate()


SAYS = f"echo '{BEGUN}'; echo '{BEGUN}' >&2; "


def test_it_sends_all_once_it_is_connected(tmp_path: Path) -> None:
    """The file comes last; and it ends with the status of the client."""
    (tmp_path / "payload").write_bytes(b"file" * 100_000)
    script = f"{SAYS} echo > gate; head -c 700000 | tail -c 5; echo err >&2; exit 7"
    payload = str(tmp_path / "payload")
    with running(tmp_path, script, b"sent" * 75_000, payload=payload) as program:
        assert program.communicate() == (b"efile", b"err\n")
        assert program.returncode == 7


async def test_nothing_is_sent_before_the_gate_is_open(tmp_path: Path) -> None:
    """Nor after it was told to end: the client finds the end of its input."""
    script = f'{SAYS} echo begun >&2; read -r line || echo "none $line"; exit 3'
    with running(tmp_path, script, b"sent\n") as program:
        assert program.stderr.readline() == b"begun\n"
        program.send_signal(signal.SIGTERM)
        assert program.communicate() == (b"none \n", b"")
        assert program.returncode == 3


async def test_it_can_be_told_to_end_while_nobody_takes_what_is_printed(tmp_path: Path) -> None:
    """What runs on the host is ended by the lifeline, without its help."""
    script = f"{SAYS} echo > gate; yes & cat > got; kill $!; touch ended"
    with running(tmp_path, script, b"sent") as program:
        got = tmp_path / "got"
        await until(lambda: got.exists() and got.read_bytes() == b"sent")
        await until(lambda: _is_full(program.stdout))
        program.send_signal(signal.SIGTERM)
        await until((tmp_path / "ended").exists)


def test_a_full_disk_ends_the_command(tmp_path: Path) -> None:
    """By the lifeline; and it says so by a signal, when all on the host has ended."""
    script = f"{SAYS} echo > gate; yes & cat > got; kill $!; touch ended"
    with Path("/dev/full").open("wb") as full, running(tmp_path, script, stdout=full) as program:
        assert program.stderr.read() == b""
        assert program.wait() == -ssh_client.NOT_KEPT
        assert (tmp_path / "ended").exists()


def _is_full(pipe: IO[bytes]) -> bool:
    """True for a pipe of 64 KiB that takes no more, or less than is passed on at once."""
    (size,) = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))
    return bool(size > 60_000)


def test_it_needs_the_standard_library_alone() -> None:
    """It is imported without its package."""
    tree = ast.parse(Path(ssh_client.__file__).read_text())
    names = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert names <= sys.stdlib_module_names
