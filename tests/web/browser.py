"""A real Chromium for tests, and tabs of it that say what went wrong in them.

Playwright's own browsers can't be had everywhere, so it drives Debian's. The browser is started
once for all tests of a worker, and each tab begins with nothing: no cookies, nothing kept.
"""

import asyncio
import shlex
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, ConsoleMessage, Page, Request, async_playwright, expect

from ..debian import MissingPart, have, missing, path_of
from . import unplugged

_WITHOUT = (
    # Each new window would load pages of the browser's own beside ours: 0.4 s of processor time.
    "PreloadTopChromeWebUI",
    "WebUIOmniboxAimPopup",
    "WebUIOmniboxPopup",
    # Playwright leaves these out with a flag of its own, but only the last such flag counts.
    "AimEnabled",
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsFirstBalancedModeAutoEnable",
    "HttpsUpgrades",
    "LensOverlay",
    "MediaRouter",
    "NetworkTimeServiceQuerying",
    "OptimizationHints",
    "PaintHolding",
    "PreconnectToSearch",
    "ThirdPartyStoragePartitioning",
)
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--disable-features={','.join(_WITHOUT)}",
    # Frames are painted although nobody looks.
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
)
PATIENCE = 30_000
"""Milliseconds until a page that does not show what it should is a failure, on a busy machine."""


def require_chromium() -> Path:
    """The browser's program, installed where it is missing and that can be done; where not the
    test is skipped, but fails in CI, where nobody would see that it was.
    """
    try:
        have({"chromium": "chromium"})
    except MissingPart as why:
        missing(str(why))
    found = path_of("chromium")
    assert found is not None
    return Path(found)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Runs the browser, without a window."""
    program = require_chromium()
    with tempfile.TemporaryDirectory() as folder:
        start = _starting(program, Path(folder))
        async with async_playwright() as playwright:
            expect.set_options(timeout=PATIENCE)
            browser = await playwright.chromium.launch(
                executable_path=start, args=FLAGS, headless=True, chromium_sandbox=False
            )
            try:
                yield browser
            finally:
                await browser.close()


def _starting(program: Path, folder: Path) -> Path:
    """A script that runs the browser unplugged."""
    script = folder / "chromium"
    command = shlex.join([sys.executable, unplugged.__file__, str(program)])
    script.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    script.chmod(0o700)
    return script


class Faults:
    """What went wrong in tabs: errors of scripts, refusals by the security policy, requests to
    other sites. A test that means to see one takes it away with `expect`.
    """

    def __init__(self) -> None:
        self._found: list[str] = []
        # Sites end before tabs do, which then lose their streams.
        self._expected = ["net::ERR_CONNECTION_", "net::ERR_INCOMPLETE_CHUNKED", "net::ERR_EMPTY_"]

    def watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self._found.append(f"{error}"))
        page.on("console", self._console)
        page.on("request", self._request)

    def expect(self, text: str) -> None:
        """A fault with this in it is none: the console tells of answers such as `403`, too."""
        self._expected.append(text)

    def check(self) -> None:
        """Raises AssertionError if something went wrong."""
        left = [fault for fault in self._found if not any(text in fault for text in self._expected)]
        if left:
            raise AssertionError("\n".join(["something went wrong in a tab:", *left]))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self._found.append(f"{message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        local = ("http://127.0.0.1:", "http://localhost:", "data:", "blob:", "about:")
        if not request.url.startswith(local):
            self._found.append(f"request to {request.url}")


class Tabs:
    """Opens tabs, each with a profile of its own, and closes them at the end of the test."""

    def __init__(self, browser: Browser) -> None:
        self.faults = Faults()
        self._browser = browser
        self._open: list[Page] = []

    async def open(
        self,
        *,
        width: int = 1280,
        height: int = 800,
        dark: bool = False,
        javascript: bool = True,
    ) -> Page:
        """A new tab, of somebody who has not been here before."""
        context = await self._browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            java_script_enabled=javascript,
            reduced_motion="reduce",
        )
        page = await context.new_page()
        # What waits longer than this on a machine of any speed will not come.
        page.set_default_timeout(15_000)
        self.faults.watch(page)
        self._open.append(page)
        return page

    async def close(self) -> None:
        """Raises AssertionError if something went wrong in one of them."""
        await asyncio.gather(*(page.context.close() for page in self._open))
        self.faults.check()


async def texts(page: Page, selector: str) -> Sequence[str]:
    """What stands in each of the elements, without the space around it."""
    return [text.strip() for text in await page.locator(selector).all_inner_texts()]
