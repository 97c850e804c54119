"""Makes the corpus of failures in tests/explain/corpus: it runs real tools, and breaks things.

    python -m tools.corpus [--tools FOLDER] [NAME...]

corpus.toml has the cases: files, a command that fails, and what is expected of its output. Each
runs in a folder of its own, and the tool writes what it prints to corpus/NAME.txt, without the
names of this machine. It skips cases whose programs are missing, and keeps their outputs. Nothing
outside of this machine is asked for anything but names that end in .invalid. It takes root, for
disks that are full. tsc, yarn, pnpm, eslint, jest and mocha can come from a folder in which npm has
installed them.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tools.corpus_servers import Surroundings

ROOT = Path(__file__).parent.parent
CASES = ROOT / "tests/explain/corpus.toml"
CORPUS = ROOT / "tests/explain/corpus"

LONGEST = 8192
"""Bytes of a file. A case that prints more needs a smaller example."""

_APT = (
    "-o Dir::State::lists={0}/lists -o Dir::Cache={0}/cache -o Dir::Etc::sourceparts=/dev/null"
    " -o APT::Sandbox::User=root -o Acquire::Retries=0 -o Acquire::http::Proxy=DIRECT"
)
_TOOLS = {
    "shell": "bash",
    **dict.fromkeys(("steps", "local", "survived", "ended"), "bash"),
    "unittest": "python3",
    "python": "python3",
    "apt": "apt-get",
    "gxx": "g++",
    "ctest": "cmake",
}
"""The programs of cases that are not called like them."""


@dataclass(frozen=True, slots=True)
class Case:
    """A command that fails, in a folder with some files."""

    name: str
    run: str
    kind: str
    expect: str
    """Part of the first line that gives the reason."""
    files: Mapping[str, str] = field(default_factory=dict)
    needs: Sequence[str] = ()
    is_local: bool = False
    """True if it is about this machine itself, whose address then stays."""

    @property
    def tool(self) -> str:
        first = self.name.split("-")[0]
        return _TOOLS.get(first, first)

    @property
    def is_held_out(self) -> bool:
        """True for a third of the cases: nobody looks at them to write a pattern, so that the share
        of them that is right tells how other outputs fare.
        """
        return int(hashlib.sha256(self.name.encode()).hexdigest(), 16) % 3 == 0

    @property
    def output(self) -> bytes:
        return (CORPUS / f"{self.name}.txt").read_bytes()


def cases() -> Iterator[Case]:
    """The cases of corpus.toml, in their order."""
    for name, case in tomllib.loads(CASES.read_text()).items():
        yield Case(name=name, **case)


def output_of(case: Case, surroundings: Surroundings) -> str:
    """Return the output of a case's command, in neutral words."""
    folder = surroundings.folder / "cases" / case.name
    for name, text in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        for variable in ("WEB", "DEAD"):
            text = text.replace(f"@{variable}@", surroundings.env[variable])  # noqa: PLW2901
        path.write_text(text)
    for part in ("lists", "cache/archives"):
        (folder / "apt" / part / "partial").mkdir(parents=True, exist_ok=True)
    surroundings.serve(folder / "web")
    process = subprocess.Popen(
        ["bash", "-c", case.run],
        cwd=folder,
        env={**surroundings.env, "APT": _APT.format(folder / "apt")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        print(f"{case.name}: took too long", file=sys.stderr)
    text = surroundings.neutral(output.decode(errors="replace").replace(str(folder), "/build"))
    return text if case.is_local else text.replace("127.0.0.1", "192.0.2.10")


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes the corpus of failures.")
    parser.add_argument("--tools", type=Path, help="a folder in which npm has installed tools")
    parser.add_argument("names", nargs="*", help="the cases; all if there are none")
    arguments = parser.parse_args()
    CORPUS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, ExitStack() as stack:
        surroundings = Surroundings(stack, Path(folder), arguments.tools)
        for case in cases():
            if arguments.names and case.name not in arguments.names:
                continue
            missing = [need for need in (case.tool, *case.needs) if not surroundings.has(need)]
            if missing:
                print(f"{case.name}: skipped, as {', '.join(missing)} is missing", file=sys.stderr)
                continue
            text = output_of(case, surroundings)
            data = text.encode()
            if not data or len(data) > LONGEST:
                print(f"{case.name}: {len(data)} bytes, 1 to {LONGEST} are wanted", file=sys.stderr)
            (CORPUS / f"{case.name}.txt").write_bytes(data)


if __name__ == "__main__":
    main()
