"""Names that are imported when they are first used."""

import ast
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from pycurrent.deferred import deferred

SOURCE = Path(__file__).parent.parent / "src"
USERS = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(SOURCE.rglob("*.py"))
    if "= deferred(" in path.read_text() and path.name != "deferred.py"
}


def names_for(tree: ast.Module) -> Iterator[tuple[dict[str, set[str]], dict[str, list[str]]]]:
    """What type checkers see, and what is imported later, by the modules that have it."""
    for node in tree.body:
        if isinstance(node, ast.If) and node.orelse:
            (given,) = node.orelse
            assert isinstance(given, ast.Assign)
            assert isinstance(given.value, ast.Call)
            seen: dict[str, set[str]] = {}
            for found in node.body:
                assert isinstance(found, ast.ImportFrom)
                assert found.module is not None
                seen.setdefault(found.module, set()).update(alias.name for alias in found.names)
            yield seen, ast.literal_eval(given.value.args[1])


@pytest.mark.parametrize("module", USERS)
def test_type_checkers_see_what_is_imported_later(module: str) -> None:
    """The same names, of the same modules; all of them are there, and public."""
    ((seen, later),) = names_for(ast.parse(USERS[module].read_text()))
    assert {source: set(names) for source, names in later.items()}.items() <= seen.items()
    imported = import_module(module)
    for source, names in later.items():
        for name in names:
            assert getattr(imported, name) is getattr(import_module(source), name)
            assert name in imported.__all__


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    """It names the module, as for any other; a name that is there is looked up once."""
    get = deferred(__name__, {"string": ["digits"]})
    with pytest.raises(AttributeError, match=r"module '.*test_deferred' has no attribute 'nope'"):
        get("nope")
    assert get("digits") == "0123456789"
    assert vars(sys.modules[__name__]).pop("digits") == "0123456789"
