"""A real browser, and how long it takes until a visitor sees something."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.figures import NotMeasured
from tests.debian import MissingPart, have

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

VISITORS = 5

PAINTED = """(wanted) => new Promise((resolve) => {
    const look = () => {
        const found = document.querySelector(wanted);
        // The frame after the one in which it is there has been painted.
        if (found === null) requestAnimationFrame(look);
        else requestAnimationFrame(() => setTimeout(() =>
            resolve(performance.timeOrigin + performance.now())));
    };
    look();
})"""
"""Gives when what a selector finds has been painted, in milliseconds since 1970."""


SENT = """() => {
    const loaded = ["navigation", "resource"].flatMap((kind) => performance.getEntriesByType(kind));
    return loaded.reduce((sum, one) => sum + one.transferSize, 0);
}"""
"""Gives how many bytes the page and all that it has asked for have taken, compressed."""


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """The browser that the tests have."""
    try:
        from tests.web.browser import chromium
    except ImportError as error:
        raise NotMeasured(str(error)) from error
    try:
        have({"chromium": "chromium"})
    except MissingPart as error:
        raise NotMeasured(str(error)) from error
    async with chromium() as browser:
        # Its first page takes longer than others, whatever it is.
        await (await browser.new_page()).goto("about:blank")
        yield browser


@asynccontextmanager
async def opened(browser: Browser) -> AsyncIterator[Page]:
    """A tab of somebody who has not been here before."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    try:
        yield await context.new_page()
    finally:
        await context.close()


async def first_view(page: Page, url: str, wanted: str) -> float:
    """Milliseconds from when the address is asked for to when that is painted."""
    await page.goto(url, wait_until="commit")
    painted: float = await page.evaluate(PAINTED, wanted)
    began: float = await page.evaluate("performance.timeOrigin")
    return painted - began


async def others(browser: Browser, url: str, wanted: str) -> float:
    """The median first view of some who have not been here before."""
    took = []
    for _ in range(VISITORS):
        async with opened(browser) as page:
            took.append(await first_view(page, url, wanted))
    return median(took)
