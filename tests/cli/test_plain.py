"""Command lines that are read without the library: quicker, and with the same meaning."""

import functools
import inspect
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import pytest
from cyclopts import App
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import fields

from pycurrent import Current, constant
from pycurrent.cli.library import Reader
from pycurrent.cli.library import call as call_app
from pycurrent.cli.load import NO_EXTRAS
from pycurrent.cli.option import STATE_DIR_VARIABLE
from pycurrent.cli.pipeline_command import Call, PipelineCommand
from pycurrent.cli.plain import fits, may_be_plain, option_of, read_plainly, target_in
from pycurrent.cli.run_options import RunOptions
from pycurrent.errors import UsageError

from ..effort import examples
from .commands import Start

TOKENS = st.lists(
    st.sampled_from(
        [
            *("--once", "--shared", "--open-badges", "--web", "--no-web", "--state-dir", "--jobs"),
            *("--confirm", "--confirm-auto-release", "--port", "--host", "--allow-host"),
            *("ci", "a b", "", "-x", "none", "average", "AVERAGE", "1.5", "-1", "7", "--", "--onc"),
            *("--state-dir=here", "--once=true", "=", "--help", "-h"),
        ]
    ),
    max_size=5,
)


def pipeline() -> Current[int]:
    return constant(1)


def read_by_library(tokens: list[str]) -> RunOptions | None:
    """The options as the library reads them for a script; None if it refuses the line."""
    seen: list[RunOptions] = []

    def act(call: Call, options: RunOptions) -> int:
        seen.append(options)
        return 0

    command = PipelineCommand("run", "", RunOptions, act)
    app = App(
        default_command=Reader(command).of_script(pipeline, "ci.py", NO_EXTRAS), version_flags=()
    )
    app.result_action = "return_value"
    try:
        call_app(app, tokens)
    except UsageError:
        return None
    return seen[0] if seen else None


@pytest.fixture(autouse=True)
def no_variables(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables of the environment are options, too."""
    monkeypatch.delenv("PYCURRENT_PORT")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(TOKENS)
def test_a_line_that_is_read_plainly_means_what_the_library_reads(tokens: list[str]) -> None:
    """Whatever is given: either it is left to the library, or both agree."""
    plain = read_plainly(tokens, RunOptions)
    if plain is not None and not plain.arguments:
        assert plain.options == read_by_library(tokens)


class Colour(Enum):
    RED = "red"
    DARK_RED = "dark-red"
    BLUE = "Blue"


class Size(Enum):
    SMALL = 1
    LARGE = 2


def with_options(  # type: ignore[no-untyped-def]
    text: str,
    count: int = 1,
    where: Path = Path("here"),
    share: float = 0.5,
    quick: bool = False,
    slow: bool = True,
    maybe_text: str | None = None,
    maybe: int | None = None,
    colour: Colour = Colour.RED,
    size: Size = Size.SMALL,
    mode: Literal["fast", "none", "Fine"] = "fast",
    digit: Literal[1, 2] = 1,
    several: int | str = 1,
    *,
    bare=3,
    names: tuple[str, ...] = (),
) -> Current[int]:
    """A pipeline with options of all kinds."""
    return constant(1)


def seen_by(read: Callable[[Callable[..., Any]], None]) -> dict[str, object] | None:
    """The arguments that such a pipeline gets; None if it gets none."""
    seen: list[dict[str, object]] = []

    @functools.wraps(with_options)
    def noted(*args: Any, **kwargs: Any) -> Current[int]:
        bound = inspect.signature(with_options).bind(*args, **kwargs)
        seen.append({name: (type(value), value) for name, value in bound.arguments.items()})
        return constant(1)

    read(noted)
    return seen[0] if seen else None


VALUES = st.sampled_from(
    [
        *("a", "", " ", "7", "-7", "0x1f", "1_000", "1.5", "1e3", "nan", "none", "None", "null"),
        *("red", "RED", "dark-red", "DARK_RED", "blue", "Blue", "fast", "Fast", "FINE", "1", "2"),
        *("True", "~/x"),
    ]
)
FLAGS = st.sampled_from(
    [f"--{name.replace('_', '-')}" for name in inspect.signature(with_options).parameters]
    + ["--no-quick", "--no-slow", "--once", "--count=3", "--maybe_text", "--Colour"]
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
    max_examples=examples(400),
)
@given(st.lists(st.one_of(st.tuples(FLAGS, VALUES), st.tuples(FLAGS)), max_size=3))
def test_options_of_a_pipeline_that_are_read_plainly_mean_the_same(
    pairs: list[tuple[str, ...]],
) -> None:
    """The same values of the same types; what the library refuses is left to it."""
    tokens = ["--text", "x", *(token for pair in pairs for token in pair)]
    command = PipelineCommand("run", "", RunOptions, lambda call, options: 0)
    plain = read_plainly(tokens, RunOptions, with_options)
    if plain is None or plain.arguments:
        return

    def by_library(pipeline: Callable[..., Any]) -> None:
        reader = Reader(command).of_script(pipeline, "ci.py", NO_EXTRAS)
        app = App(default_command=reader, version_flags=())
        app.result_action = "return_value"
        with suppress(UsageError):
            call_app(app, tokens)

    def plainly(pipeline: Callable[..., Any]) -> None:
        command.begin(pipeline, "ci.py", NO_EXTRAS, plain.options, kwargs=plain.given)

    assert seen_by(plainly) == seen_by(by_library)


@pytest.mark.parametrize(
    ("tokens", "given"),
    [
        (["--text", "a b", "--count", "3"], {"text": "a b", "count": 3}),
        (["--where", "there", "--text", ""], {"where": Path("there"), "text": ""}),
        (
            ["--text", "x", "--quick", "--share", "0.25"],
            {"text": "x", "quick": True, "share": 0.25},
        ),
        (
            ["--text", "x", "--maybe", "4", "--mode", "Fine"],
            {"text": "x", "maybe": 4, "mode": "Fine"},
        ),
        (["--text", "x", "--colour", "dark-red"], {"text": "x", "colour": Colour.DARK_RED}),
    ],
)
def test_usual_options_of_a_pipeline_are_read_plainly(
    tokens: list[str], given: dict[str, object]
) -> None:
    """Texts, numbers, paths, flags, members and choices, beside those of the command."""
    plain = read_plainly(["--once", *tokens], RunOptions, with_options)
    assert plain is not None
    assert plain.given == given
    assert plain.options == RunOptions(once=True)


@pytest.mark.parametrize(
    "tokens",
    [
        ["--count", "3"],
        ["--text", "x", "--count", "three"],
        ["--text", "x", "--size", "1"],
        ["--text", "x", "--maybe-text", "none"],
        ["--text", "x", "--names", "a"],
        ["--text", "x", "--text", "y"],
        ["--text", "x", "--no-slow"],
        ["--text", "x", "--where", ""],
    ],
)
def test_what_is_not_plain_of_a_pipeline_is_left_to_the_library(tokens: list[str]) -> None:
    """What is missing, wrong, given twice, or of a type that may be read in several ways."""
    assert read_plainly(tokens, RunOptions, with_options) is None


def test_the_file_comes_first_or_after_options_of_the_command() -> None:
    """Which arguments belong to the options of a pipeline is known once it is loaded."""
    assert target_in(["ci.py", "--sources", "src"], RunOptions) == "ci.py"
    assert target_in(["--state-dir", "here", "ci.py", "--help"], RunOptions) == "ci.py"
    assert target_in(["--sources", "src", "ci.py"], RunOptions) is None


def test_usual_lines_are_read_plainly() -> None:
    """Flags, a path and a level, in any order, around the file."""
    plain = read_plainly(
        ["--once", "ci.py", "--state-dir", "here", "--confirm", "none"], RunOptions
    )
    assert plain is not None
    assert plain.arguments == ("ci.py",)
    assert plain.options == RunOptions(once=True, state_dir=Path("here"), confirm="none")


@pytest.mark.parametrize(
    "tokens", [["--help"], ["--onec"], ["--jobs", "3"], ["--once", "--once"], ["--state-dir"]]
)
def test_everything_else_is_left_to_the_library(tokens: list[str]) -> None:
    """Help, mistakes, and numbers with bounds."""
    assert read_plainly(tokens, RunOptions) is None


def test_a_variable_that_is_an_option_is_left_to_the_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It knows which counts more."""
    monkeypatch.setitem(os.environ, STATE_DIR_VARIABLE, "elsewhere")
    assert read_plainly(["--once"], RunOptions) is None


def test_a_parameter_without_a_default_is_left_to_the_library() -> None:
    """So is one that is named as an option of the command, which is an error."""

    def needs(repo: str) -> None: ...
    def clashes(once: bool = False) -> None: ...

    assert fits(pipeline, RunOptions, {})
    assert not fits(needs, RunOptions, {})
    assert fits(needs, RunOptions, {"repo": "web"})
    assert not fits(clashes, RunOptions, {})


def test_authors_may_describe_parameters_with_the_library() -> None:
    """It is imported here: only a pipeline without parameters has none described."""
    assert "cyclopts" in sys.modules
    assert may_be_plain(pipeline)
    assert not may_be_plain(with_options)


def test_every_option_says_what_it_is_for() -> None:
    """The help is part of each."""
    assert all(option.help.endswith(".") for option in map(option_of, fields(RunOptions)))


def test_a_run_with_nothing_to_ask_imports_no_library(child: Start, tmp_path: Path) -> None:
    """Neither for a file, nor with a state directory; the file is loaded once."""
    (tmp_path / "ci.py").write_text(
        "import atexit, sys\n"
        "import pycurrent as current\n"
        "print('loaded')\n"
        "atexit.register(lambda: print('cyclopts' in sys.modules, 'rich' in sys.modules))\n"
        "def pipeline(n: int = 1) -> current.Current[int]:\n"
        "    return current.constant(n)\n"
    )
    ended = child("-m", "pycurrent", "run", "ci.py", "--once", "--state-dir", "state").end()
    assert ended.status == 0
    assert ended.out.splitlines()[0] == "loaded"
    assert ended.out.count("loaded") == 1
    assert ended.out.splitlines()[-1] == "False False"
