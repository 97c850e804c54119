"""Command lines that are read without the library: quicker, and with the same meaning."""

import os
from pathlib import Path

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
from pycurrent.cli.plain import has_only_defaults, option_of, read_plainly
from pycurrent.cli.run_options import RunOptions
from pycurrent.errors import UsageError

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

    assert has_only_defaults(pipeline, RunOptions)
    assert not has_only_defaults(needs, RunOptions)
    assert not has_only_defaults(clashes, RunOptions)


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
