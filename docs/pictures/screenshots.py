"""Takes the screenshots of the documentation: `make screenshots`.

A small pipeline is run for real, and looked at with Chromium at a moment that has something of
everything: a stage that has failed, jobs that run, one that waits for confirmation. Each page is
taken in light and in dark; with names of pages, `screenshots.py login`, only those are. Needs
Debian's packages `chromium` and `pngquant`.
"""

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

from playwright.async_api import Browser, Page, async_playwright

import pycurrent as current
from pycurrent import (
    CommandFailed,
    Config,
    Current,
    Engine,
    Failure,
    Job,
    Level,
    LogRule,
    Pool,
    builder,
)
from pycurrent.service import Rebuilding, Service
from pycurrent.store import HistoryFilter
from pycurrent.web import AccessSettings, PasswordFile, Role, WebSettings
from pycurrent.web.server import Address, Website, listening
from pycurrent.web.users import PASSWORD_FILE, LocalUser, PasswordHash

PICTURES = Path(__file__).resolve().parent
WIDTH, HEIGHT = 1240, 760

# The pipeline

BRANCHES = ("main", "fix-prices", "release-2.1")
PYTHONS = ("3.11", "3.12", "3.13")
MACHINES = Pool("machines", 2)

LINT = r"""
set -eu
for part in basket prices shipping taxes; do
    printf 'src/shop/%s.py ... ok\n' $part
    sleep 0.1
done
if [ "$1" = fix-prices ]; then
    printf '\033[31msrc/shop/prices.py:41:5: F841 local variable "vat" is not used\033[0m\n'
    exit 1
fi
printf '\033[32mAll checks passed!\033[0m\n'
"""
TEST = r"""
printf 'collected 2400 items\n\n'
# Those of a release are watched while they run.
case $1 in release*) last=2400 ;; *) last=24 ;; esac
for number in $(seq 1 $last); do
    printf 'tests/test_shop.py::test_order_%04d \033[32mPASSED\033[0m [%3d%%]\n' \
        $number $((100 * number / last))
    sleep 0.05
done
printf '\033[32m%d passed\033[0m\n' $last
"""


@builder("lint", level=Level.HARMLESS, label="lint")
async def lint(job: Job, branch: str) -> None:
    # The traceback of its failure would show where this runs.
    job.secret(str(PICTURES))
    try:
        await job.exec(["bash", "-s", branch], stdin=LINT)
    except CommandFailed as failed:
        raise Failure(f"{failed}") from None


@builder("test", level=Level.HARMLESS, pool=MACHINES, label="test {python}")
async def test(job: Job, branch: str, python: str) -> None:
    await job.exec(["bash", "-s", branch], stdin=TEST)


@builder("package", level=Level.AVERAGE, label="package")
async def package(job: Job, branch: str) -> str:
    job.log(f"shop-{branch}.tar.gz")
    return f"shop-{branch}.tar.gz"


@builder("publish", level=Level.DANGEROUS, label="publish")
async def publish(job: Job, file: str) -> None:
    job.log(f"published {file}")


def branch(name: Current[str]) -> Current[None]:
    checks = {"lint": lint(name), **{python: test(name, python) for python in PYTHONS}}
    return publish(package(name.gate(on=current.all(checks))))


def shop() -> Current[None]:
    return current.constant(BRANCHES, label="branches").list_iter(branch, label="branch")


RULE = LogRule(r"(src/\S+:\d+):\d+: (\w+ [^\x1b\n]+)", r"\1: \2", 10)

# What is taken

JOB_OF_TESTS = "test release-2.1 3.11"


async def wait_until(engine: Engine, come: Callable[[], bool]) -> None:
    """Return once it is so after a step of the engine."""
    reached = asyncio.Event()
    engine.listen(lambda _: reached.set() if come() else None)
    if not come():
        async with asyncio.timeout(120):
            await reached.wait()


def at_work(engine: Engine) -> bool:
    """Something of everything is there."""
    stats = engine.stats
    return bool(stats.failed and stats.running == 2 and stats.waiting_for_confirmation)


async def diagram(page: Page) -> None:
    await page.goto("/")
    await page.locator("#pipeline").get_by_text("publish").first.wait_for()
    await page.get_by_role("button", name="Fit").click()


async def table(page: Page) -> None:
    await page.goto("/?view=table")
    await page.locator(".pace").first.wait_for()


async def failures(page: Page) -> None:
    await page.goto("/?view=failures")
    await page.get_by_text("F841").first.wait_for()


async def jobs(page: Page) -> None:
    await page.goto("/jobs")


async def job(page: Page) -> None:
    await page.goto("/jobs")
    await page.get_by_role("link", name=JOB_OF_TESTS).click()
    await page.get_by_text("PASSED").last.wait_for()


async def failed_job(page: Page) -> None:
    await page.goto("/history?ok=false")
    await page.get_by_role("link", name="lint fix-prices").first.click()
    await page.get_by_text("The same work before").wait_for()


async def history(page: Page) -> None:
    await page.goto("/history")


async def rules(page: Page) -> None:
    await page.goto("/rules")
    await page.get_by_role("link", name="Change").click()
    await page.get_by_role("button", name="Try on").click()
    await page.get_by_text("It would say").wait_for()


async def confirm(page: Page) -> None:
    await page.goto("/jobs")
    await page.locator("[data-live=confirm] summary").click()


async def item(page: Page) -> None:
    await page.goto("/items?path=fix-prices")
    await page.get_by_role("heading", name="Its last jobs").wait_for()


async def causes(page: Page) -> None:
    await page.goto("/failures")
    await page.locator("main pre.lines").first.wait_for()


async def approvals(page: Page) -> None:
    await page.goto("/approvals")
    await page.locator("main summary").first.click()


async def timeline(page: Page) -> None:
    await page.goto("/timeline?path=*")
    await page.locator("main table").wait_for()


async def login(page: Page) -> None:
    await page.goto("/login")
    await page.get_by_label("Name").fill("ada")


PAGES: Mapping[str, Callable[[Page], Awaitable[None]]] = MappingProxyType(
    {
        "diagram": diagram,
        "table": table,
        "failures": failures,
        "jobs": jobs,
        "job": job,
        "failed-job": failed_job,
        "history": history,
        "rules": rules,
        "item": item,
        "causes": causes,
        "approvals": approvals,
        "timeline": timeline,
        "confirm": confirm,
        "login": login,
    }
)

WHOLE = frozenset({"failed-job"})
"""Those that are taken down to their end."""

GUARDED = frozenset({"login"})
"""Those that are there once there is a user, when all others are no more."""


async def shoot(browser: Browser, address: Address, scheme: str, names: Collection[str]) -> None:
    """Take the pages in the colours, `light` or `dark`."""
    context = await browser.new_context(
        base_url=address.url,
        viewport={"width": WIDTH, "height": HEIGHT},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    entrance = await context.new_page()
    await entrance.goto(address.way_in)
    await entrance.close()
    for name in names:
        page = await context.new_page()
        await PAGES[name](page)
        # What a page brings in while it is looked at has arrived: fonts are the system's.
        await page.evaluate(
            "new Promise(done => requestAnimationFrame(() => setTimeout(done, 300)))"
        )
        file = PICTURES / f"{name}-{scheme}.png"
        await page.mouse.move(0, 0)
        await page.screenshot(path=file, full_page=name in WHOLE)
        compress(file)
        await page.close()
    await context.close()


def compress(file: Path) -> None:
    """A picture of a page has few colours: a palette makes it a third as large."""
    options = ["--force", "--strip", "--speed", "1", "--output", str(file)]
    subprocess.run(["pngquant", "256", *options, str(file)], check=True)


async def prepare(engine: Engine, service: Service) -> None:
    """Wait for the moment, and give the lint that failed a past."""
    engine.log_rules.add(RULE)
    await wait_until(engine, lambda: at_work(engine))
    for _ in range(6):
        await rebuild(engine, service)


async def rebuild(engine: Engine, service: Service) -> None:
    """Have the lint that failed done again."""
    failed = await service.archive.page(HistoryFilter(op="lint", ok=False), limit=1)
    match service.jobs.rebuild(failed.entries[0].job_id, by="ann"):
        case Rebuilding(job_id):
            await wait_until(engine, lambda: not service.jobs.is_active(job_id))
        case refused:
            raise AssertionError(refused)


async def main(names: Collection[str]) -> None:
    """Take the pages with these names; all, if there are none."""
    if unknown := set(names) - PAGES.keys():
        raise SystemExit(f"no such page: {', '.join(unknown)}; those there are: {', '.join(PAGES)}")
    wanted = [name for name in PAGES if not names or name in names]
    with TemporaryDirectory() as scratch:
        engine = Engine(shop, state_dir=Path(scratch), config=Config(confirm=Level.DANGEROUS))
        users = PasswordFile(Path(scratch) / PASSWORD_FILE)
        settings = WebSettings(port=0, name="shop", access=AccessSettings(providers=(users,)))
        with listening(settings) as listener:
            async with AsyncExitStack() as stack:
                await stack.enter_async_context(engine)
                service = Service(engine.opened)
                website = Website(service, settings)
                address = await stack.enter_async_context(website.serving(listener))
                playwright = await stack.enter_async_context(async_playwright())
                await prepare(engine, service)
                browser = await playwright.chromium.launch(
                    executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
                )
                for guarded in (False, True):
                    if guarded:
                        users.put(LocalUser("ada", Role.ADMIN, PasswordHash.of("correct horse")))
                    part = [name for name in wanted if (name in GUARDED) is guarded]
                    for scheme in ("light", "dark"):
                        await shoot(browser, address, scheme, part)
                await browser.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
