"""The programs that run at a place need an old Python there, and nothing else."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from pycurrent.engine import supervisor
from pycurrent.places import transport
from pycurrent.plugins import slurm

SENT = [
    *(
        Path(transport.__file__).with_name(name)
        for name in (
            "agent.py",
            "agent_caches.py",
            "agent_contents.py",
            "agent_files.py",
            "agent_link.py",
            "ending.py",
            "frames.py",
            "terminal.py",
        )
    ),
    Path(transport.__file__).with_name("agent_server.py"),
    Path(supervisor.__file__),
    *(Path(slurm.__file__).with_name(name) for name in ("holder.py", "bridge.py")),
]


OPTIONS = ("--no-tips", "--violations", "-t=3.8-")


@pytest.mark.parametrize("program", SENT, ids=lambda path: path.name)
def test_python_3_8_is_enough(program: Path) -> None:
    """As vermin finds it, in syntax and library."""
    found = subprocess.run(
        [Path(sys.executable).with_name("vermin"), *OPTIONS, program],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize("program", SENT, ids=lambda path: path.name)
def test_they_need_the_standard_library_alone(program: Path) -> None:
    """And each other."""
    known = {*sys.stdlib_module_names, *(path.stem for path in SENT)}
    tree = ast.parse(program.read_text())
    skipped = {
        id(node)
        for test in ast.walk(tree)
        if isinstance(test, ast.If) and ast.unparse(test.test) == "TYPE_CHECKING"
        for body in test.body
        for node in ast.walk(body)
    }
    imported = {
        name for node in ast.walk(tree) if id(node) not in skipped for name in _imported(node)
    }
    assert imported <= known


def _imported(node: ast.AST) -> list[str]:
    match node:
        case ast.Import(names):
            return [name.name.partition(".")[0] for name in names]
        case ast.ImportFrom(module) if module is not None:
            return [module.partition(".")[0]]
        case _:
            return []
