"""The shape of the house: which room may use which, read from the source with `ast`."""

import ast
import inspect
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import pycurrent

ROOT = Path(__file__).parent.parent
PACKAGE = "pycurrent"
STANDARD = sys.stdlib_module_names | {"annotationlib"}
"""The standard library, with what is new in versions after this one."""
SOURCE = ROOT / "src" / PACKAGE

CORE = {"incr", "term", "store", "files", "engine", "cache"}
"""What pipelines are made of and run by, without any face or plugin."""

EVERYWHERE = {"errors", "deprecation", "deferred"}
"""The modules that each room may use, except the one that is usable alone."""

MAY_USE = {
    "errors": set[str](),
    "deprecation": set[str](),
    "deferred": set[str](),
    "incr": set[str](),
    "term": {"incr", *EVERYWHERE},
    "store": {*EVERYWHERE},
    "files": {"store", *EVERYWHERE},
    "engine": {"files", "term", "incr", "store", *EVERYWHERE},
    "cache": {"engine", "files", "store", "term", "incr", *EVERYWHERE},
    # Of `service` only what `PLUGIN_DOORS` has, and `facade` for the type of the engine.
    "plugins": {"service", "facade", "places", *CORE, *EVERYWHERE},
    "places": {"engine", "files", "store", "term", *EVERYWHERE},
    "reports": {"engine", "files", "store", "term", *EVERYWHERE},
    "explain": {*CORE, *EVERYWHERE},
    "facade": {"explain", "reports", *CORE, *EVERYWHERE},
    "view": {"explain", *CORE, *EVERYWHERE},
    "service": {"facade", "explain", "view", *CORE, *EVERYWHERE},
    "web": {"service", "facade", "view", *CORE, *EVERYWHERE},
    # The command line starts the web.
    "cli": {"service", "view", "web", "facade", *CORE, *EVERYWHERE},
    "testing": {"facade", *CORE, *EVERYWHERE},
    # The public names, the package that gives them, and what `python -m pycurrent` runs.
    "public": {*CORE, "facade", "web", "cli", *EVERYWHERE},
    "": {"public"},
    "__main__": {"cli"},
    "mypy_plugin": set[str](),
}
"""The rooms, and for each the others that it may import."""

DOORS = {"incr": ["pycurrent.incr"], "term": ["pycurrent.term", "pycurrent.term.diagram"]}
"""The closed rooms, with the modules of which others may import what these show."""

PLUGIN_DOORS = {"pycurrent.service.login", "pycurrent.service.routes"}
"""All that plugins may import of `service`: small modules, which load nothing else of it."""

AT_PLACES = {
    "connection",
    "agent",
    "agent_caches",
    "agent_contents",
    "agent_files",
    "agent_link",
    "frames",
    "supervisor",
}
"""The modules that programs at other places import without their package, which is not there."""

WITHOUT_CIRCLES = {"term"}
"""The rooms whose modules need no circles, not even of types."""


@dataclass(frozen=True)
class Import:
    """A module imports another, or a name from it (which may be a module itself)."""

    module: str
    source: str
    name: str | None
    line: int
    is_for_types: bool
    is_at_once: bool
    """When the module is imported; not later, in a function."""

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.source} ({self.name})"

    @property
    def package(self) -> str:
        return self.source.split(".")[0]

    @property
    def target(self) -> str:
        """The module that is meant: a name that a package binds itself is not its submodule."""
        submodule = f"{self.source}.{self.name}"
        if submodule in FILES and self.name not in bound_by(self.source):
            return submodule
        return self.source


def module_of(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_of(path): path for path in sorted(SOURCE.rglob("*.py"))}


@cache
def tree_of(module: str) -> ast.Module:
    path = FILES[module]
    return ast.parse(path.read_text(), path.name)


def imports_of(module: str) -> Iterator[Import]:
    is_package = FILES[module].stem == "__init__"
    yield from _imports(tree_of(module), module, is_package, at_once=True, for_types=False)


def _imports(
    node: ast.AST, module: str, is_package: bool, *, at_once: bool, for_types: bool
) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            continue  # no expression holds an import
        later = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        checking = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)
        if isinstance(child, ast.Import | ast.ImportFrom):
            for source, name in _imported(child, module, is_package):
                yield Import(module, source, name, child.lineno, for_types, at_once)
        yield from _imports(
            child,
            module,
            is_package,
            at_once=at_once and not later,
            for_types=for_types or checking,
        )


def _imported(
    node: ast.Import | ast.ImportFrom, module: str, is_package: bool
) -> Iterator[tuple[str, str | None]]:
    if isinstance(node, ast.Import):
        yield from ((alias.name, None) for alias in node.names)
        return
    source = node.module or ""
    if node.level:
        parts = module.split(".")
        above = parts[: len(parts) - node.level + is_package]
        source = ".".join([*above, *filter(None, [source])])
    yield from ((source, alias.name) for alias in node.names)


@cache
def bound_by(module: str) -> set[str]:
    """The names that a module imports from others."""
    return {
        alias.asname or alias.name
        for node in tree_of(module).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


@cache
def imports() -> list[Import]:
    """All of the source. Not read before a test asks: the file is collected more often than run."""
    return [found for module in FILES for found in imports_of(module)]


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


@cache
def ours() -> list[tuple[Import, str]]:
    """Those of our own modules, with the module that is meant."""
    return [
        (found, found.target)
        for found in imports()
        if found.package == PACKAGE and found.target != found.module
    ]


def test_every_module_is_in_a_room() -> None:
    """A new room gets its line in the table."""
    assert {room_of(module) for module in FILES} <= set(MAY_USE)


def test_all_our_imports_are_understood() -> None:
    """None is of a module that is not there."""
    assert [str(found) for found, target in ours() if target not in FILES] == []


def test_rooms_import_one_way() -> None:
    """Imports inside functions and for the type checker included."""
    wrong = []
    for found, target in ours():
        here, there = room_of(found.module), room_of(target)
        if here != there and there not in MAY_USE[here]:
            wrong.append(str(found))
    assert wrong == []


def test_the_table_has_no_circles() -> None:
    """Rooms can be put in an order in which each uses only those before it."""
    left = {room: set(uses) for room, uses in MAY_USE.items()}
    while left:
        free = {room for room, uses in left.items() if not uses & left.keys()}
        assert free, f"circle among {sorted(left)}"
        left = {room: uses for room, uses in left.items() if room not in free}


def test_closed_rooms_are_entered_by_their_doors() -> None:
    """Other rooms use the names that a door shows, not the modules behind it."""
    wrong = [
        str(found)
        for found, target in ours()
        if room_of(target) in DOORS
        and room_of(found.module) != room_of(target)
        and target not in DOORS[room_of(target)]
    ]
    assert wrong == []


def test_plugins_take_only_protocols_of_the_service() -> None:
    """A plugin that answers routes, or logs people in, loads no site and no library for it."""
    wrong = [
        str(found)
        for found, target in ours()
        if room_of(found.module) == "plugins"
        and room_of(target) == "service"
        and target not in PLUGIN_DOORS
    ]
    assert wrong == []


def test_plugins_name_the_public_engine_for_types_only() -> None:
    """Requests to routes have it; a plugin loads nothing to handle them."""
    wrong = [
        str(found)
        for found, target in ours()
        if (room_of(found.module), room_of(target)) == ("plugins", "facade")
        and not found.is_for_types
    ]
    assert wrong == []


def test_the_protocols_of_the_service_load_nothing_else() -> None:
    """Neither the rest of the room nor the site, nor any library of theirs."""
    code = f"import sys, {', '.join(sorted(PLUGIN_DOORS))}; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = set(ran.stdout.split())
    ours = {name for name in loaded if name.startswith("pycurrent.")}
    assert ours == {"pycurrent.service", "pycurrent.errors", *PLUGIN_DOORS}
    assert not {"asyncio", "fastapi", "pydantic", "starlette", "msgspec"} & loaded


def test_modules_do_not_import_each_other_in_circles() -> None:
    """What happens when a module is imported needs no order; types within a room may."""
    uses: dict[str, set[str]] = {module: set() for module in FILES}
    for found, target in ours():
        same = room_of(found.module) == room_of(target)
        may = same and room_of(target) not in WITHOUT_CIRCLES
        if may and (found.is_for_types or not found.is_at_once):
            continue
        uses[found.module].add(target)
    left = uses
    while left:
        free = {module for module, needs in left.items() if not needs & left.keys()}
        assert free, f"circle among {sorted(left)}"
        left = {module: needs for module, needs in left.items() if module not in free}


def test_plugins_use_each_other_only_where_they_say() -> None:
    """A plugin imports another only for its types: docker that of a commit in git; and each forge
    what is the same for all, and for their logins. What all of them share stands beside them.
    """
    shared = {"argv", "options", "relay", "saved_files"}
    allowed = {("docker", "git"), ("command", "git"), ("forge", "git")}
    allowed |= {
        (forge, also)
        for forge in ("forgejo", "github", "gitlab")
        for also in ("forge", "git", "login")
    }
    wrong = []
    for found, target in ours():
        here, there = found.module.split(".")[1:3], target.split(".")[1:3]
        if here[:1] == there[:1] == ["plugins"] and len(here) == len(there) == 2:
            one, other = here[1], there[1]
            if one != other and other not in shared and (one, other) not in allowed:
                wrong.append(str(found))
    assert wrong == []


def normal(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def declared() -> tuple[set[str], dict[str, set[str]]]:
    """The distributions that pyproject.toml names: those always needed, and by extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    def names(requirements: list[str]) -> set[str]:
        found = (re.match(r"[\w.-]+", requirement) for requirement in requirements)
        return {normal(match.group()) for match in found if match}

    extras = project.get("optional-dependencies", {})
    return names(project["dependencies"]), {extra: names(extras[extra]) for extra in extras}


def test_only_declared_packages_are_imported() -> None:
    """Besides the standard library: always those needed always, an extra's by its plugin.

    pytest and mypy are there where their plugins are loaded, and the programs that run at places
    find each other there.
    """
    always, extras = declared()
    distributions = packages_distributions()
    wrong = []
    for found in imports():
        if found.package == PACKAGE or found.package in STANDARD:
            continue
        names = {normal(name) for name in distributions.get(found.package, [])}
        allowed = set(always)
        parts = found.module.split(".")
        if parts[1:2] == ["plugins"] and len(parts) > 2:
            allowed |= extras.get(parts[2], set())
        if found.module == f"{PACKAGE}.mypy_plugin":
            allowed |= {"mypy"}
        if parts[1:2] == ["places"]:
            allowed |= AT_PLACES
            names |= {found.package}
        if found.module == f"{PACKAGE}.testing.pytest_plugin":
            allowed |= {"pytest", "pytest-asyncio"}
        if not names & allowed:
            wrong.append(str(found))
    assert wrong == []


def test_the_incremental_core_is_usable_alone() -> None:
    """It imports the standard library only."""
    wrong = [
        str(found)
        for found in imports()
        if room_of(found.module) == "incr"
        and found.package not in STANDARD
        and room_of(found.target) != "incr"
    ]
    assert wrong == []


@pytest.mark.parametrize("name", sorted(getattr(pycurrent, "__all__", [])))
def test_public_names_are_documented(name: str) -> None:
    """Each exists, and says what it is."""
    value = getattr(pycurrent, name)
    if isinstance(value, type) or inspect.isroutine(value):
        assert value.__doc__, f"{name} has no docstring"
        # What a dataclass writes itself says nothing.
        assert not value.__doc__.startswith(f"{name}("), f"{name} has no docstring of its own"


@pytest.mark.parametrize("module", FILES)
def test_modules_say_what_they_hold(module: str) -> None:
    """Each begins with a docstring."""
    assert ast.get_docstring(ast.parse(FILES[module].read_text()))


@pytest.mark.parametrize("name", ["utils", "helpers", "common", "base", "manager", "misc"])
def test_no_module_has_a_name_that_says_nothing(name: str) -> None:
    """A line of code knows its room."""
    assert [module for module in FILES if name in module.split(".")] == []
