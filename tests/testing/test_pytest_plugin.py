"""The pytest plugin, in test suites of its users."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from pycurrent import Builder, Engine, Job, Level, Ok, component, constant
from pycurrent.testing import HarnessFactory, VirtualClock

pytest_plugins = ("pytester",)

USER = """
import asyncio, subprocess
import pytest
import pycurrent as current
{mode}

@current.builder("count", level=current.Level.HARMLESS)
async def count(job: current.Job, key: str) -> int:
    return len(key)

@current.builder("sleep", level=current.Level.HARMLESS)
async def sleep(job: current.Job, key: str) -> None:
    await job.exec(["sleep", "1000"])

async def test_good(harness):
    async with harness(lambda: count("abc")) as h:
        await h.settle()
        assert h.output == current.Ok(3)

async def test_jobs_are_ended(harness):
    async with harness(lambda: sleep("abc")) as h:
        await h.until(lambda: h.engine.opened.processes.running)

async def test_left_open(harness):
    await harness(lambda: count("abc")).__aenter__()

async def test_left_running(harness):
    subprocess.Popen(["sleep", "3"])
"""

ANYIO = """
pytestmark = pytest.mark.anyio

@pytest.fixture
def anyio_backend():
    return "asyncio"
"""


@pytest.fixture
def only_ours(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The arguments of a pytest that loads our plugin and no other one."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return ["-p", "pycurrent.testing.pytest_plugin"]


async def test_restarts_use_the_same_state_directory(
    harness: HarnessFactory, state_dir: Path
) -> None:
    """What one harness has built, the next one knows."""
    built: list[str] = []

    class Upper(Builder[str, str]):
        id = "upper"

        async def build(self, job: Job, key: str) -> str:
            await job.start(level=Level.HARMLESS)
            built.append(key)
            return key.upper()

    for _ in range(2):
        async with harness(lambda: component("upper", lambda: Upper().get("a"))) as h:
            await h.settle()
            assert h.output == Ok("A")
    assert built == ["a"]
    assert (state_dir / "db").is_dir()


async def test_the_virtual_clock_can_be_given_to_an_engine(
    virtual_clock: VirtualClock, state_dir: Path
) -> None:
    """For tests that need no harness."""
    async with Engine(lambda: constant(1), state_dir=state_dir, clock=virtual_clock) as engine:
        before = engine.clock.now()
        virtual_clock.move(timedelta(days=1))
        assert engine.clock.now() - before == timedelta(days=1)


@pytest.mark.parametrize(
    ("mode", "arguments"),
    [
        ("", ["-p", "pytest_asyncio.plugin", "--asyncio-mode=auto"]),
        (ANYIO, ["-p", "anyio.pytest_plugin"]),
    ],
    ids=["pytest-asyncio", "anyio"],
)
def test_fixtures_work_with_any_plugin_for_coroutines(
    pytester: pytest.Pytester, only_ours: list[str], mode: str, arguments: list[str]
) -> None:
    """And what a test leaves behind is an error of that test."""
    pytester.makepyfile(USER.format(mode=mode))
    result = pytester.runpytest_subprocess(*only_ours, *arguments)
    result.assert_outcomes(passed=4, errors=2)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_left_open*",
            "A harness is still open*: use it with `async with`.",
            "*ERROR at teardown of test_left_running*",
            "Process * still runs: sleep 3. Run commands by `job.exec`.",
        ]
    )


def test_the_fixtures_are_documented(pytester: pytest.Pytester, only_ours: list[str]) -> None:
    """`pytest --fixtures` shows each with a line."""
    result = pytester.runpytest_subprocess(*only_ours, "--fixtures")
    result.stdout.fnmatch_lines(["state_dir*", "*state directory*", "harness*", "*async with*"])


def test_the_plugin_itself_imports_nothing_but_pytest() -> None:
    """It is loaded at the start of each test run in the environment, used or not."""
    script = (
        "import sys, types, pytest\n"
        "for name in ('pycurrent', 'pycurrent.testing'):\n"
        "    sys.modules[name] = types.ModuleType(name)\n"
        "import importlib.util\n"
        "spec = importlib.util.spec_from_file_location('plugin', sys.argv[1])\n"
        "before = set(sys.modules)\n"
        "spec.loader.exec_module(importlib.util.module_from_spec(spec))\n"
        "print(sorted(set(sys.modules) - before))\n"
    )
    plugin = Path(sys.modules[HarnessFactory.__module__].__file__ or "").with_name(
        "pytest_plugin.py"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, str(plugin)], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
