"""`help()` of a public class shows what is documented, and says what each member is for."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import pycurrent
import pycurrent.testing
import pycurrent.web

from .plugins import PLUGINS

DOCS = Path(__file__).resolve().parents[2] / "docs"
OF_THE_SOURCE = {"internals.md", "journeys.md"}
"""Pages for those who work on the source."""
CODE = " ".join(
    code
    for page in sorted(DOCS.rglob("*.md"))
    if page.name not in OF_THE_SOURCE
    for code in re.findall(r"```.*?```|`[^`]+`", page.read_text(), re.DOTALL)
)
MODULES = (pycurrent, pycurrent.testing, pycurrent.web, *PLUGINS)

OURS = {
    "Active": "rank",
    "Builder": "labels_of started_with",
    "CommandFailed": "blame",
    "Config": "allows forget listen_to_confirm",
    "Current": "remedy shape",
    "Failed": "rank",
    "FileMonitor": "given_instead watching",
    "Hosts": "counting has_room keep_open lends_places places",
    "Partition": "counting has_room lends_places",
    "Cluster": "counting has_room lends_places",
    "RayPool": "counting has_room lends_places",
    "Input": "remedy type_name",
    "LogRule": "as_record of_record",
    "Monitor": "given_instead watching",
    "Operation": "labels_of started_with",
    "Pool": "counting draw give_back has_room in_queue places queue_length share_of",
    "Primitive": "remedy",
    "Publisher": "labels_of started_with",
    "Retry": "attempts tries_anew",
    "Schedule": "deadline times",
    "Trigger": "fields remedy text_of",
    "Var": "remedy",
    "Harness": "is_open",
    "HarnessFactory": "leftovers",
    "VirtualClock": "call_at call_later date_offset monotonic next_timer spread",
    "AccessSettings": "ready_providers",
    "PasswordFile": "is_set_up",
    "Commit": "had_by",
    "Local": "given_instead",
    "Image": "had_by short",
}
"""Members that other rooms of the package use. None may be added: document it, or hide it."""


def public_classes() -> Iterator[type]:
    found: dict[type, None] = {}
    for module in MODULES:
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isclass(value):
                found[value] = None
    return iter(found)


CLASSES = list(public_classes())


def members(of: type) -> dict[str, object]:
    """The public members that the class has from our source, as they stand in it."""
    ours: dict[str, object] = {}
    for name in dir(of):
        home = next((parent for parent in of.__mro__ if name in vars(parent)), None)
        if name[0] != "_" and home is not None and home.__module__.startswith("pycurrent."):
            ours[name] = vars(home)[name]
    return ours


@pytest.mark.parametrize("of", CLASSES, ids=lambda of: of.__name__)
def test_a_public_class_and_its_methods_have_docstrings(of: type) -> None:
    """Those of a base class count for methods. A dataclass gets none that Python makes up."""
    own = vars(of).get("__doc__")
    assert own
    assert not own.startswith(f"{of.__name__}(")
    methods = {
        name: member
        for name, member in members(of).items()
        if isinstance(member, property | classmethod | staticmethod) or inspect.isfunction(member)
    }
    lacking = [
        name
        for name, member in methods.items()
        if not inspect.getdoc(member if isinstance(member, property) else getattr(of, name))
    ]
    assert lacking == []


@pytest.mark.parametrize("of", CLASSES, ids=lambda of: of.__name__)
def test_help_shows_what_the_docs_have(of: type) -> None:
    """And a few members more, which the package itself uses."""
    unknown = {name for name in members(of) if not re.search(rf"\b{name}\b", CODE)}
    assert unknown == set(OURS.get(of.__name__, "").split()), "document it, or begin it with _"


def test_only_public_classes_are_excused() -> None:
    """One that goes takes its members along."""
    assert set(OURS) <= {of.__name__ for of in CLASSES}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_a_public_function_has_a_docstring(module: ModuleType) -> None:
    """Each that can be imported."""
    functions = {name: getattr(module, name) for name in module.__all__}
    lacking = [name for name, value in functions.items() if inspect.isfunction(value)]
    assert [name for name in lacking if not functions[name].__doc__] == []
