"""Measures the source: its size, its names, its imports, its English, and how far readers travel.

`make house`, or `python -m tools.house --before COMMIT`, prints two columns: the source at a commit
(by default the one that was read for the last review) and the source here. Nothing here fails; the
numbers are for people who decide on what to do next.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.prose import Config, Prose

ROOT = Path(__file__).parents[1]
BEFORE = "6b75e2e"
JOURNEYS = Path(__file__).with_name("journeys.py")
_IS_NO = re.compile(r"\b(is|are) no\b")
_OPENER = re.compile(r'"""(What|Who|Whom|Whether|Which|Those|Such|Whose)\b')
_SECONDS = 120


@dataclass(frozen=True)
class Tree:
    """The source of one version: the modules by their names, parsed."""

    root: Path
    modules: Mapping[str, ast.Module]
    texts: Mapping[str, str]

    @classmethod
    def read(cls, root: Path) -> Tree:
        source = root / "src"
        texts = {
            ".".join(path.relative_to(source).with_suffix("").parts): path.read_text()
            for path in sorted(source.rglob("*.py"))
        }
        return cls(root, {name: ast.parse(text) for name, text in texts.items()}, texts)


def measures(tree: Tree) -> Iterator[tuple[str, str]]:
    """Each figure, by name."""
    yield "files of Python", str(len(tree.modules))
    yield "lines of Python", str(sum(text.count("\n") for text in tree.texts.values()))
    yield from _longest(tree)
    yield from _same_names(tree)
    yield from _circles(tree)
    yield from _english(tree)


def _longest(tree: Tree) -> Iterator[tuple[str, str]]:
    functions: list[tuple[int, str]] = []
    classes: list[tuple[int, str]] = []
    for module in tree.modules.values():
        for node in ast.walk(module):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                functions.append((_lines(node), node.name))
            elif isinstance(node, ast.ClassDef):
                classes.append((_lines(node), node.name))
    files = [(text.count("\n"), name) for name, text in tree.texts.items()]
    lengths = sorted(length for length, _ in functions)
    yield "functions: median, 99 %", f"{lengths[len(lengths) // 2]}, {_percentile(lengths, 99)}"
    yield "longest function", "{} {}".format(*max(functions))
    yield "functions above 40 lines", str(sum(length > 40 for length in lengths))
    yield "longest class", "{} {}".format(*max(classes))
    yield "longest file", "{} {}".format(*max(files))


def _lines(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _percentile(numbers: Sequence[int], percent: int) -> int:
    return numbers[min(len(numbers) - 1, len(numbers) * percent // 100)]


def _same_names(tree: Tree) -> Iterator[tuple[str, str]]:
    places: defaultdict[str, list[str]] = defaultdict(list)
    for name, module in tree.modules.items():
        for node in module.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(name)
    several = sorted(name for name, modules in places.items() if len(modules) > 1)
    yield "classes with the same name", f"{len(several)} {' '.join(several)}".strip()


def _circles(tree: Tree) -> Iterator[tuple[str, str]]:
    """Modules that import each other, whenever: for the type checker and in functions, too."""
    uses = {name: _imports(name, tree) for name in tree.modules}
    circles = [sorted(part) for part in strongly_connected(uses) if len(part) > 1]
    modules = sum(map(len, circles))
    largest = max(circles, key=len, default=[])
    yield "import circles", f"{len(circles)} of {modules} modules, the largest of {len(largest)}"
    yield "largest circle", " ".join(name.removeprefix("pycurrent.") for name in largest)


def _imports(name: str, tree: Tree) -> set[str]:
    found = set()
    for node in ast.walk(tree.modules[name]):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return (found & tree.modules.keys()) - {name}


def strongly_connected(graph: Mapping[str, set[str]]) -> list[set[str]]:
    """The sets of nodes that can all reach each other."""
    reach = {node: _reachable(node, graph) for node in graph}
    left = set(graph)
    parts = []
    while left:
        node = left.pop()
        part = {node} | {other for other in reach[node] & left if node in reach[other]}
        left -= part
        parts.append(part)
    return parts


def _reachable(node: str, graph: Mapping[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    front = [node]
    while front:
        for other in graph[front.pop()] - seen:
            seen.add(other)
            front.append(other)
    return seen


def _english(tree: Tree) -> Iterator[tuple[str, str]]:
    lines = [line for text in tree.texts.values() for line in text.splitlines()]
    yield "lines of kind is-no", str(sum(map(bool, map(_IS_NO.search, lines))))
    yield "docstrings of kind opener", str(sum(map(bool, map(_OPENER.search, lines))))
    found = Prose(tree.root, Config.read()).findings
    yield "findings of the prose linter", str(len(found))
    inside = sum(finding.path.as_posix().startswith("src/") for finding in found)
    yield "of these in the source", str(inside)


def journeys(tree: Tree) -> Iterator[tuple[str, str]]:
    """The journeys through the package, or "-" for one that this version can't make."""
    done = subprocess.run(
        [sys.executable, JOURNEYS],
        env={**os.environ, "PYTHONPATH": str(tree.root / "src")},
        check=False,
        stdout=subprocess.PIPE,
        text=True,
        timeout=_SECONDS,
    )
    if done.returncode != 0:
        return
    found: dict[str, list[int] | None] = json.loads(done.stdout.splitlines()[-1])
    for name, figures in found.items():
        yield name, "-" if figures is None else " / ".join(map(str, figures))


def tree_at(commit: str, folder: Path) -> Tree:
    """The tree of an earlier commit, unpacked into a folder."""
    archive = subprocess.run(
        ["git", "-C", ROOT, "archive", commit], check=True, stdout=subprocess.PIPE
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        packed.extractall(folder, filter="data")
    return Tree.read(folder)


def _all(tree: Tree) -> dict[str, str]:
    return {**dict(measures(tree)), **dict(journeys(tree))}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.house", description=__doc__)
    parser.add_argument("--before", default=BEFORE, help="the commit to compare with")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        before = _all(tree_at(options.before, Path(folder)))
    now = _all(Tree.read(ROOT))
    print("Journeys: functions / files / changes of file, in the order of first calls.\n")
    width = max(map(len, now))
    print(" " * width, f"{options.before:40}", "here", sep="  ")
    for name, figure in now.items():
        then = before.get(name, "-")
        if len(then) > 40:
            print(f"{name:{width}}  {then}", f"{'':{width}}  {'':40}  {figure}", sep="\n")
        else:
            print(f"{name:{width}}  {then:40}  {figure}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
