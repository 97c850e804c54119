"""axe-core, which finds faults of accessibility: brought by npm, for tests only, never shipped."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from playwright.async_api import Page

FOLDER = Path(__file__).parent / "npm"
_SCRIPT = FOLDER / "node_modules" / "axe-core" / "axe.min.js"
_INSTALLED = FOLDER / "node_modules" / ".package-lock.json"
_COMMAND = ("ci", "--ignore-scripts", "--no-audit", "--no-fund")
_RUN = """async () => {
    const { violations } = await axe.run(document, { resultTypes: ["violations"] });
    return violations.flatMap(({ id, nodes }) => nodes.map((node) =>
        `${id}: ${node.target.join(" ")}: ${node.failureSummary} ${node.html.slice(0, 200)}`));
}"""


def require_axe() -> str:
    """The script. It is installed, at the version of the lock file, when it is first asked for,
    however many workers ask. Without npm the test is skipped, but fails in CI.
    """
    with (FOLDER / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_installed():
            subprocess.run([_npm(), *_COMMAND], cwd=FOLDER, check=True, capture_output=True)
    return _SCRIPT.read_text()


def _is_installed() -> bool:
    """Whether what is there is what the lock file asks for: npm writes its own copy last."""
    asked = (FOLDER / "package-lock.json").stat().st_mtime
    return _SCRIPT.is_file() and _INSTALLED.is_file() and _INSTALLED.stat().st_mtime >= asked


def _npm() -> str:
    found = shutil.which("npm")
    if found is not None:
        return found
    reason = "there is no npm to bring axe-core"
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


async def violations(page: Page, axe: str) -> Sequence[str]:
    """What axe has to say against a page: the rule, where, why."""
    # By the debugger, not by an element: the page's security policy allows no inline script.
    await page.evaluate(axe)
    found: Sequence[str] = await page.evaluate(_RUN)
    return found
