"""Old public names go on working, and say what the new ones are."""

import sys
import types
import warnings
from collections.abc import Iterator

import pytest

from pycurrent.deprecation import Renamed, old_names

NAME = "a_module_with_an_old_name"
RENAMED = Renamed("Old", "New", removed_in="0.9")


@pytest.fixture
def module() -> Iterator[types.ModuleType]:
    """A module in which `Old` was renamed `New`."""
    module = types.ModuleType(NAME)
    module.New = object()  # type: ignore[attr-defined]
    module.__getattr__ = old_names(NAME, [RENAMED])  # type: ignore[method-assign]
    sys.modules[NAME] = module
    yield module
    del sys.modules[NAME]


def test_an_old_name_is_the_new_thing(module: types.ModuleType) -> None:
    """With a warning that names the new one, and the version that removes the old one."""
    with pytest.warns(
        DeprecationWarning, match=r"^Old is now New: the old name will be removed in 0\.9$"
    ):
        assert module.Old is module.New


def test_the_warning_is_where_the_name_is_used(module: types.ModuleType) -> None:
    """So that its author finds the line; an import by name included."""
    with pytest.warns(DeprecationWarning, match="Old is now New") as seen:
        _ = module.Old
    assert [warning.filename for warning in seen] == [__file__]
    with pytest.warns(DeprecationWarning, match="Old is now New") as seen:
        exec(f"from {NAME} import Old", {"__name__": "user"})
    assert "<string>" in [warning.filename for warning in seen]


def test_the_new_name_warns_of_nothing(module: types.ModuleType) -> None:
    """Nor does a name that the module has not."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert module.New is not None
        with pytest.raises(AttributeError, match=r"module 'a_module.*' has no attribute 'Odd'"):
            _ = module.Odd


def test_a_function_warns_its_caller() -> None:
    """One that was renamed calls the new one, and warns."""

    def old() -> int:
        RENAMED.warn()
        return 1

    with pytest.warns(DeprecationWarning, match="Old is now New") as seen:
        assert old() == 1
    assert seen[0].filename == __file__
