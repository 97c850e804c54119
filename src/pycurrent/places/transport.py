"""The programs that run at another place, and the relay that reaches them."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shlex
import zlib
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from msgspec import Struct

from pycurrent.engine import supervisor
from pycurrent.engine.place import Place, RelayCommand

_START = """\
import sys,os
v=sys.version_info
if v<(3,8):
    sys.exit("python3 there is %d.%d: 3.8 or later is needed"%(v[0],v[1]))
def take(n):
    b=b""
    while len(b)<n:
        c=os.read(0,n-len(b))
        if not c: sys.exit(0)
        b+=c
    return b
m=b"\\0pycurrent-place\\0"
h=os.path.expanduser("~/.cache/pycurrent")
p=os.path.join(h,"programs",sys.argv[2])
if os.path.isdir(p):
    os.write(1,m+b"h")
else:
    os.write(1,m+b"n")
    import json,shutil
    s=json.loads(take(int(take(8))).decode())
    t=p+"."+str(os.getpid())
    try:
        os.makedirs(t,0o700)
        for n in s:
            with open(os.path.join(t,n),"w") as f: f.write(s[n])
        os.rename(t,p)
    except OSError as e:
        shutil.rmtree(t,True)
        if not os.path.isdir(p): sys.exit("can't write to %s there: %s"%(h,e.strerror))
sys.path.insert(0,p)
__import__("agent").main(h)
"""
"""Starts the agent there, in any Python, and takes its program first if that is not there yet."""

_HERE = Path(__file__).parent
_NAMES = (
    "agent.py",
    "agent_caches.py",
    "agent_contents.py",
    "agent_files.py",
    "agent_link.py",
    "agent_server.py",
    "frames.py",
)

_RUN_TEXT = (
    "import sys;del sys.path[0];"
    "import base64,zlib;exec(zlib.decompress(base64.b64decode(sys.argv[1])))"
)
"""Without quotes or line ends: the shell there may be any. No file of the folder where it starts
may stand for a module.
"""


class Programs(Struct, frozen=True):
    """The programs that are sent to a place."""

    text: str
    digest: str


@cache
def _programs() -> Programs:
    paths = [*(_HERE / name for name in _NAMES), Path(supervisor.__file__)]
    text = json.dumps({path.name: path.read_text() for path in paths})
    return Programs(text, hashlib.sha256(text.encode()).hexdigest()[:24])


class ConnectedPlace(Place):
    """A place that the words of a command connect with."""

    __slots__ = ()

    python: str
    """The Python there that runs our programs: its path, or its name."""

    @abstractmethod
    def connect(self, words: str) -> Sequence[str]:
        """The transport: the words of a command on the engine's machine whose input and outputs are
        those of a shell there, which runs `words`, and which ends with its status. With 255 if
        there is no connection, and with 254 if the place is gone for good: see `relay.py`.
        """

    def relay(self) -> RelayCommand:
        return relay_by(self.connect(start_words(self.python)))

    def terminal(self) -> Sequence[str]:
        return self.connect(program_words(self.python, (_HERE / "terminal.py").read_text()))

    def ending(self, job: str) -> Sequence[str]:
        return self.connect(program_words(self.python, (_HERE / "ending.py").read_text(), job))


def start_words(python: str) -> str:
    """The words for a shell at a place that start an agent there."""
    return program_words(python, _START, _programs().digest)


def serve_words(python: str) -> str:
    """The words for a shell at a place that start an agent server there: see `agent_server.py`."""
    server = (_HERE / "agent_server.py").read_text()
    return program_words(python, server, *agent_arguments())


def agent_arguments() -> tuple[str, str]:
    """The arguments of `Agents` there: see `agent_server.py`."""
    return _programs().digest, _packed(_START)


def program_words(python: str, program: str, *arguments: str) -> str:
    """The words for any shell by which its process becomes a program of Python's, whose arguments
    are `sys.argv[2:]`.
    """
    words = " ".join(shlex.quote(word) for word in (_packed(program), *arguments))
    # No environment there may change it; without the site, which may take as long as all the rest
    # of its start. A Python that is too old takes these options, too, and says so.
    return f'exec {shlex.quote(python)} -E -s -S -c "{_RUN_TEXT}" {words}'


def _packed(program: str) -> str:
    return base64.b64encode(zlib.compress(program.encode(), 9)).decode()


def relay_by(transport: Sequence[str] | Mapping[str, object]) -> RelayCommand:
    """The relay that reaches a place by these words, of a command that connects it with a shell
    there, which runs `start_words`; or by a bridge: see `connection.py`.
    """
    argv = (os.fsdecode(supervisor.PROGRAM), str(_HERE / "relay.py"))
    way = dict(transport) if isinstance(transport, Mapping) else list(transport)
    return RelayCommand(argv, {"transport": way, "programs": _programs().text})
