"""A browser, and sites to look at with it.

One browser serves all tests of a worker, so it lives on the loop of the session: tests that use
it are marked with `pytest.mark.asyncio(loop_scope="session")`, and so their engines are there,
too.
"""

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser, Page

from .browser import Tabs, chromium


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium, without a window."""
    async with chromium() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def tabs(browser: Browser) -> AsyncIterator[Tabs]:
    """Opens tabs. The test fails if something went wrong in one of them."""
    opened = Tabs(browser)
    yield opened
    await opened.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(tabs: Tabs) -> Page:
    """A tab."""
    return await tabs.open()
