"""Finds the function that makes a pipeline, and calls it.

The author has to fix a mistake in a pipeline, so the message says where it is: it has the frames of
the author's code, without those of its callers.
"""

from __future__ import annotations

import importlib.util
import inspect
import re
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterable
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct

from pycurrent.cli.output import one_line
from pycurrent.engine.folder import folder_kept
from pycurrent.errors import UsageError
from pycurrent.term import Current, failed_by, noting, text_of, wrong_current

if TYPE_CHECKING:
    from pycurrent.facade import Engine
    from pycurrent.store.keep import Keep
    from pycurrent.web import WebSettings

Pipeline = Callable[..., Current[Any]]
SiteOf: TypeAlias = "Callable[[], WebSettings]"
"""Called only if there are pages: most commands never import them."""
Setup: TypeAlias = "Callable[[Engine], Awaitable[None]]"
"""Called when the engine of a run is open, before its first step."""

_PACKAGE = Path(__file__).resolve().parents[1]
_PYTHON = Path(traceback.__file__).resolve().parent
"""The folder of Python itself: authors have written nothing in it."""
_RETURNS_CURRENT = r"(?s:(?:\w+\.)*Current(?:\[.*\])?)"


class WrongPipeline(UsageError):
    """The author of a file has to correct it."""


class BrokenPipeline(WrongPipeline):
    """The code of a pipeline has raised an exception. `frames` is the place, as text."""

    def __init__(self, message: str, frames: str) -> None:
        super().__init__(message)
        self.frames = frames


class Extras(Struct, frozen=True):
    """All that an author may give beside the pipeline."""

    site: SiteOf | None = None
    setup: Setup | None = None
    keep: Iterable[Keep] = ()
    """The rules of retention."""


NO_EXTRAS = Extras()


class Loaded(Struct, frozen=True):
    """The functions in a file."""

    pipeline: Pipeline
    extras: Extras


def load(target: str) -> Loaded:
    """The function that `FILE` or `FILE:FUNCTION` names, or a module in place of the file. Raises
    `UsageError`.
    """
    path, name = _split(target)
    module = _module(path) or _import(path)
    pipeline = _only_pipeline(module, path) if name is None else _named(module, path, name)
    return Loaded(pipeline, Extras(_site(module), _setup(module), _keep(module)))


def _named(module: ModuleType, path: Path, name: str) -> Pipeline:
    function = getattr(module, name, None)
    if not callable(function):
        what = "has no" if function is None else "has something else than a"
        raise UsageError(f"{path} {what} function {name!r}: {_known(module)}")
    return function  # type: ignore[no-any-return]


def _site(module: ModuleType) -> SiteOf | None:
    """The function `site`, if its return annotation says that it is meant."""
    function = getattr(module, "site", None)
    if not inspect.isfunction(function):
        return None
    returned = inspect.signature(function).return_annotation
    return function if _name_of(returned) == "WebSettings" else None


def _name_of(annotation: object) -> str:
    """The name of a class in an annotation, which may be a text."""
    name = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    return name.strip().rpartition(".")[2]


def _setup(module: ModuleType) -> Setup | None:
    """The function `setup`, if it is async and the annotation of its only parameter says that it is
    meant.
    """
    function = getattr(module, "setup", None)
    if not inspect.iscoroutinefunction(function):
        return None
    match [*inspect.signature(function).parameters.values()]:
        case [only] if _name_of(only.annotation) == "Engine":
            return function
        case _:
            return None


def _keep(module: ModuleType) -> Iterable[Keep]:
    """The list `keep`, if there is nothing but rules in it: `keep` may also be the function."""
    rules = getattr(module, "keep", None)
    if not isinstance(rules, list | tuple) or not rules:
        return ()
    from pycurrent.store.keep import Keep

    return rules if all(isinstance(rule, Keep) for rule in rules) else ()


async def set_up(setup: Setup, engine: Engine) -> None:
    """Call the author's function. Raises `WrongPipeline` if it raises."""
    try:
        waiting: object = setup(engine)
        if inspect.isawaitable(waiting):
            await waiting
    except UsageError as error:
        raise _located(error) from error
    except Exception as error:
        raise _broken(error, getattr(setup, "__qualname__", repr(setup))) from error


def build(
    pipeline: Pipeline, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Current[Any], list[str]]:
    """The term of a pipeline, and the terms that it has built and doesn't use. Raises `UsageError`,
    also if the pipeline raises.
    """
    name = getattr(pipeline, "__qualname__", repr(pipeline))
    try:
        with noting() as made, folder_kept():
            term: object = pipeline(*args, **kwargs)
    except UsageError as error:
        raise _located(error) from error
    except Exception as error:
        raise _broken(error, name) from error
    if inspect.iscoroutine(term):
        term.close()
        raise WrongPipeline(f"{_where(pipeline)}: {name} must be a plain function, without async")
    if not isinstance(term, Current):
        raise wrong_current(term, f"{_where(pipeline)}: {name} must return a current")
    return term, made.unused()


def _split(target: str) -> tuple[Path, str | None]:
    file, colon, name = target.rpartition(":")
    if colon and name.isidentifier() and not Path(target).exists():
        return Path(file), name
    return Path(target), None


def _module(path: Path) -> ModuleType | None:
    """The module of this name, as `python -m` finds it; None for the path of a file, and for a name
    that nothing has.
    """
    name = str(path)
    if path.exists() or path.suffix == ".py" or not all(map(str.isidentifier, name.split("."))):
        return None
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            return None
        __import__(name)  # unlike `import_module`, it leaves no frames of its own in a traceback
        return sys.modules[name]
    except UsageError as error:
        raise _located(error) from error
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            return None
        raise _broken(error, name) from error
    except Exception as error:
        raise _broken(error, name) from error


def _import(path: Path) -> ModuleType:
    if not path.is_file():
        what = "it is a directory" if path.is_dir() else "no such file exists"
        raise UsageError(
            f"no pipeline in {path}: {what}; give the path of a Python file, or the name of a"
            " module"
        )
    folder, package = _package(path.resolve())
    if str(folder) not in sys.path:
        # Like for a script: it can import the files beside it.
        sys.path.insert(0, str(folder))
    name = ".".join([*package, path.stem])
    if name in sys.modules:
        name = f"{name}__pipeline"
    loader = SourceFileLoader(name, str(path.resolve()))
    spec = importlib.util.spec_from_file_location(name, path.resolve(), loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    # For looking up annotations, and for imports of it by other files.
    sys.modules[name] = module
    try:
        if package:
            importlib.import_module(".".join(package))  # for imports relative to it
        loader.exec_module(module)
    except UsageError as error:
        raise _located(error) from error
    except Exception as error:
        raise _broken(error, str(path)) from error
    return module


def _package(path: Path) -> tuple[Path, list[str]]:
    """The folder from which a file is imported, and the packages in it that the file is in."""
    folder, package = path.parent, list[str]()
    while (folder / "__init__.py").is_file() and folder.name.isidentifier():
        package.insert(0, folder.name)
        folder = folder.parent
    return folder, package


def _only_pipeline(module: ModuleType, path: Path) -> Pipeline:
    candidates = _candidates(module)
    if callable(getattr(module, "pipeline", None)):
        return module.pipeline  # type: ignore[no-any-return]
    match candidates:
        case [name]:
            return getattr(module, name)  # type: ignore[no-any-return]
        case []:
            raise WrongPipeline(
                f"no pipeline in {path}: name a function `pipeline`, or annotate the one that"
                " makes it with `-> Current[...]`, or say which: FILE:FUNCTION"
            )
        case _:
            raise WrongPipeline(
                f"several functions in {path} return a current ({', '.join(candidates)}): name"
                f" one `pipeline`, or say which: {path}:{candidates[-1]}"
            )


def _candidates(module: ModuleType) -> list[str]:
    """The functions that return a current and can be called without having one."""
    return [
        name
        for name, value in vars(module).items()
        if inspect.isfunction(value)
        and value.__module__ == module.__name__
        and not name.startswith("_")
        and not inspect.iscoroutinefunction(value)
        and _makes_pipeline(value)
    ]


def _makes_pipeline(function: Callable[..., Any]) -> bool:
    # By the text, because a name that is only imported for the type checker can't be evaluated.
    # The annotations of a wrapped function are those of the inside, which don't count.
    if hasattr(function, "__wrapped__"):
        return False
    signature = inspect.signature(function)
    takes_current = any(
        _is_current(parameter.annotation) for parameter in signature.parameters.values()
    )
    return _is_current(signature.return_annotation) and not takes_current


def _is_current(annotation: object) -> bool:
    if isinstance(annotation, str):
        return re.fullmatch(_RETURNS_CURRENT, annotation.strip()) is not None
    return annotation is Current or getattr(annotation, "__origin__", None) is Current


def _known(module: ModuleType) -> str:
    names = _candidates(module)
    if not names:
        return "no function in it is annotated to return a Current"
    return f"those that return a current are {', '.join(names)}"


def _where(function: Callable[..., Any]) -> str:
    code = getattr(function, "__code__", None)
    return "the pipeline" if code is None else f"{_near(code.co_filename)}:{code.co_firstlineno}"


def _located(error: UsageError) -> WrongPipeline:
    """The same mistake, with its place in the author's code."""
    return WrongPipeline(failed_by(error).message)


def _broken(error: Exception, name: str) -> BrokenPipeline:
    """The message of an exception in an author's code, and its place."""
    kind = type(error).__name__
    text = one_line(text_of(error.msg if isinstance(error, SyntaxError) else error))
    from pycurrent.term import meant  # few files are broken

    text += _plugin_of(error) or meant(error)
    what = f"{kind}: {text}" if text else kind
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not _is_ours(Path(frame.filename))
    ]
    if isinstance(error, SyntaxError) and (file := _file_of(error)):
        where, shown = f"{_near(file)}:{error.lineno}", _marked(error)
    elif frames:
        own = [frame for frame in frames if not _is_of_python(frame.filename)]
        last = (own or frames)[-1]
        where = f"{_near(last.filename)}:{last.lineno}"
        shown = "".join(traceback.format_list(frames))
    else:
        where, shown = name, ""
    return BrokenPipeline(f"{where}: {what}", shown)


def _plugin_of(error: Exception) -> str:
    """Where a plugin is that was looked for beside the names of pipelines."""
    if not isinstance(error, ImportError | AttributeError):
        return ""
    found = re.search(
        r"import name '(\w+)' from 'pycurrent'|'pycurrent' has no attribute '(\w+)'", str(error)
    )
    name = found and (found[1] or found[2])
    if not name or importlib.util.find_spec(f"pycurrent.plugins.{name}") is None:
        return ""
    return f": write from pycurrent.plugins import {name}"


def _file_of(error: SyntaxError) -> str | None:
    """The file that Python could not read; None for an exception that an author has raised so."""
    return error.filename if isinstance(error.filename, str) else None


def _marked(error: SyntaxError) -> str:
    """The line with the mistake, as Python shows it."""
    try:
        return "".join(traceback.format_exception_only(error)[:-1])
    except Exception:  # An author has raised it, with something else in it.
        return ""


def _is_of_python(file: str) -> bool:
    return file.startswith("<frozen ") or Path(file).is_relative_to(_PYTHON)


def _is_ours(file: Path) -> bool:
    return file.is_relative_to(_PACKAGE) or str(file).startswith("<frozen importlib")


def _near(file: str) -> str:
    """The path relative to the current folder, if the file is below it."""
    path = Path(file)
    try:
        here = Path.cwd()
    except FileNotFoundError:  # it was removed
        return file
    return str(path.relative_to(here)) if path.is_relative_to(here) else file
