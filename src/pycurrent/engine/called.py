"""The process that calls a function for a job: a script, with the standard library only.

It is given a folder with the file `call`, and leaves the file `result` there, if the function ends:
see `calling.py`.
"""

import importlib
import importlib.util
import pickle  # between two processes of one engine, and of one version
import sys
import traceback
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

SCRIPT = "__called__"
"""The name of the engine's script in this process. By its own name it would run the engine."""


def main(folder: Path) -> None:
    sys.path[:], modules, call = pickle.loads((folder / "call").read_bytes())  # noqa: S301
    try:
        for name, file in modules.items():
            _load(name, file)
        function, args, kwargs = pickle.loads(call)  # noqa: S301
        result = (True, function(*args, **kwargs))
    except BaseException as error:
        result = (False, error)
        try:
            traceback.print_exc()
        except Exception as fault:
            sys.stderr.write(f"{type(error).__name__} has no traceback: {fault}\n")
    sys.stdout.flush()
    # A process that is killed while it writes leaves no result.
    written = folder / "written"
    written.write_bytes(_pickled(*result))
    written.rename(folder / "result")


def _load(name: str, file: str) -> None:
    """Have the module with the function by its name, also if it was loaded by its path."""
    if name != "__main__":
        try:
            if getattr(importlib.import_module(name), "__file__", None) == file:
                return
        except ImportError:
            pass
    known_as = SCRIPT if name == "__main__" else name
    # A script need not be called .py.
    loader = SourceFileLoader(known_as, file)
    spec = importlib.util.spec_from_loader(known_as, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = sys.modules[known_as] = module
    loader.exec_module(module)


def _pickled(has_value: bool, result: Any) -> bytes:
    try:
        text = pickle.dumps((has_value, result))
        if not has_value:
            pickle.loads(text)  # some exceptions can't be made again  # noqa: S301
        return text
    except Exception as error:
        if has_value:
            what = (
                f"the result of the function can't be passed on: {type(result).__name__}: {error}"
            )
            return pickle.dumps((False, TypeError(what)))
        return pickle.dumps((False, RuntimeError(f"{type(result).__name__}: {result}")))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
