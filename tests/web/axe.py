"""axe-core, which finds faults of accessibility."""

from collections.abc import Sequence
from pathlib import Path

from playwright.async_api import Page

from ..node import require_packages

# Without a look at style sheets of its own, which the pages' security policy refuses at times.
_RUN = """async () => {
    const options = { resultTypes: ["violations"], preload: false };
    const { violations } = await axe.run(document, options);
    return violations.flatMap(({ id, nodes }) => nodes.map((node) =>
        `${id}: ${node.target.join(" ")}: ${node.failureSummary} ${node.html.slice(0, 200)}`));
}"""


def require_axe() -> str:
    """The script."""
    packages = require_packages(Path(__file__).parent / "npm")
    return (packages / "axe-core" / "axe.min.js").read_text()


async def violations(page: Page, axe: str) -> Sequence[str]:
    """What axe has to say against a page: the rule, where, why."""
    # By the debugger, not by an element: the page's security policy allows no inline script.
    await page.evaluate(axe)
    found: Sequence[str] = await page.evaluate(_RUN)
    return found
