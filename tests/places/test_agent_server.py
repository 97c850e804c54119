"""The agent server begins agents as an interpreter of their own would."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import shlex
import signal
import socket
import struct
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pycurrent.engine.place import RelayCommand
from pycurrent.engine.supervisor import children_of
from pycurrent.places import (
    agent_arguments,
    agent_server,
    frames,
    relay_by,
    serve_words,
    start_words,
)
from pycurrent.places.frames import Kind
from pycurrent.plugins import slurm
from pycurrent.plugins.ray.shells import Shells

pytestmark = pytest.mark.timeout(30)


class Served:
    """A connection with an agent."""

    def __init__(self, control: socket.socket, asked: bytes) -> None:
        self._ours, theirs = socket.socketpair()
        self._errors, theirs_err = socket.socketpair()
        with theirs, theirs_err:
            stdio = [theirs.fileno(), theirs.fileno(), theirs_err.fileno()]
            socket.send_fds(control, [asked], stdio)

    @classmethod
    def by_server(cls, control: socket.socket, number: int) -> Served:
        return cls(control, struct.pack("!i", number))

    def greeting(self) -> bytes:
        """Of the agent: the letter tells whether it has its program."""
        return self._take(len(frames.MARK) + 1)

    def send(self, data: bytes) -> None:
        self._ours.sendall(data)

    def answer(self) -> object:
        """The last message."""
        for kind, data in frames.Reader().feed(self._rest()):
            if kind is Kind.END:
                return json.loads(data)
        raise AssertionError("it has not answered")

    def errors(self) -> str:
        received = b""
        while data := self._errors.recv(4096):
            received += data
        return received.decode()

    def close(self) -> None:
        self._ours.close()
        self._errors.close()

    def _take(self, size: int) -> bytes:
        received = b""
        while len(received) < size:
            received += self._ours.recv(size - len(received)) or b"?"
        return received

    def _rest(self) -> bytes:
        received = b""
        while data := self._ours.recv(4096):
            received += data
        return received


def told(control: socket.socket) -> tuple[int, int, int]:
    """The next packet of a server."""
    kind, number, value = agent_server.PACKET.unpack(control.recv(64))
    return kind, number, value


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def control(home: Path) -> Iterator[socket.socket]:
    """The socket of a server."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    environ = {"HOME": str(home), "PATH": os.environ["PATH"]}
    with theirs:
        server = subprocess.Popen(
            ["/bin/sh", "-c", serve_words("python3")], stdin=theirs.fileno(), env=environ
        )
    with ours:
        yield ours
    # It ends with its socket.
    assert server.wait(timeout=10) == 0


def programs() -> bytes:
    relay: RelayCommand = relay_by([])
    text = str(relay.head["programs"]).encode()
    return b"%8d" % len(text) + text


def hello() -> bytes:
    """A request that asks whether one is there."""
    request = {"version": frames.VERSION, "do": "call", "what": "hello", "args": {}, "silence": 30}
    end = frames.encode(Kind.INPUT)
    return frames.encode_json(Kind.REQUEST, request) + end


def test_agents_answer_and_their_ends_are_told(control: socket.socket) -> None:
    """The first one takes the program, which is loaded for all others then."""
    for number, has_it in enumerate((False, True, True)):
        served = Served.by_server(control, number)
        kind, of, pid = told(control)
        assert (kind, of) == (agent_server.BEGUN, number)
        assert Path(f"/proc/{pid}").exists()
        assert served.greeting() == frames.MARK + (b"h" if has_it else b"n")
        served.send((b"" if has_it else programs()) + hello())
        assert isinstance(served.answer(), dict)
        served.close()
        assert told(control) == (agent_server.ENDED, number, 0)


def test_an_agent_that_dies_is_none_of_the_others(control: socket.socket) -> None:
    first, second = Served.by_server(control, 1), Served.by_server(control, 2)
    pids = {told(control)[1:], told(control)[1:]}
    os.kill(dict(pids)[1], signal.SIGKILL)
    assert told(control) == (agent_server.ENDED, 1, -signal.SIGKILL)
    assert second.greeting() == frames.MARK + b"n"
    second.send(programs() + hello())
    assert isinstance(second.answer(), dict)
    second.close()
    assert told(control) == (agent_server.ENDED, 2, 0)
    first.close()


def test_the_reason_of_an_agent_that_can_t_begin_is_told(
    control: socket.socket, home: Path
) -> None:
    """By its error output, as that of any program."""
    (home / ".cache").write_text("not a folder")
    served = Served.by_server(control, 1)
    told(control)
    assert served.greeting() == frames.MARK + b"n"
    served.send(programs())
    assert "can't write to" in served.errors()
    served.close()
    assert told(control) == (agent_server.ENDED, 1, 1)


def connected(name: str) -> socket.socket:
    """A connection with the holder of an allocation, once it listens."""
    while True:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            sock.connect(f"\0{name}")
        except ConnectionRefusedError:
            sock.close()
        else:
            return sock


def test_the_holder_of_an_allocation_begins_agents_itself(home: Path) -> None:
    """Once the node has their programs: the first one comes by a shell."""
    name = uuid.uuid4().hex
    program = Path(slurm.__file__).with_name("holder.py")
    words = [sys.executable, str(program), "", name, "60", *agent_arguments()]
    environ = {"HOME": str(home), "PATH": os.environ["PATH"]}
    with subprocess.Popen(words, env=environ) as holder:
        for has_it in (False, True):
            with connected(name) as asking:
                served = Served(asking, start_words("python3").encode())
                assert served.greeting() == frames.MARK + (b"h" if has_it else b"n")
                (child,) = children_of(holder.pid)
                its = Path(f"/proc/{child}/cmdline").read_bytes()
                assert (b"holder.py" in its) == has_it
                served.send((b"" if has_it else programs()) + hello())
                assert isinstance(served.answer(), dict)
                served.close()
                assert asking.recv(4) == bytes(4)
        holder.terminate()


async def test_a_connection_that_has_ended_leaves_no_descriptor_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At a node of Ray, where thousands go by one process."""
    begun: list[asyncio.subprocess.Process] = []
    begin = asyncio.create_subprocess_exec

    async def kept(*argv: str, **options: Any) -> asyncio.subprocess.Process:
        begun.append(await begin(*argv, **options))
        return begun[-1]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", kept)
    shells, python = Shells(), shlex.quote(sys.executable)

    async def used() -> None:
        shell = await shells.begin(start_words(python), serve_words(python))
        printed, _, _ = await shell.take()
        assert printed.startswith(frames.MARK)
        await shell.end()
        await asyncio.sleep(0)  # what is closed is so in the next turn

    await used()
    before = sorted(Path("/proc/self/fd").iterdir())
    gc.disable()
    try:
        for _ in range(3):
            await used()
        assert sorted(Path("/proc/self/fd").iterdir()) == before
    finally:
        gc.enable()
        (server,) = begun
        server.kill()
        await server.wait()
