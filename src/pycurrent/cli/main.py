"""`pycurrent.main`, the command line of a pipeline script.

Every script imports this together with pycurrent, and most never need it. So the command line
itself, and its libraries, are imported only when `main` is called.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from pycurrent.facade import Engine
    from pycurrent.store.keep import Keep
    from pycurrent.term import Current
    from pycurrent.web import WebSettings


def main(
    pipeline: Callable[..., Current[Any]],
    *,
    site: Callable[[], WebSettings] | None = None,
    setup: Callable[[Engine], Awaitable[None]] | None = None,
    keep: Iterable[Keep] = (),
) -> NoReturn:
    """Run the command line of a script, and end the process with its exit status.

    By default it runs the pipeline, like `pycurrent run`: the parameters of the function are
    options, beside those of `run`. `graph`, `history`, `log` and `gc` are commands. `site()`
    returns the settings of the site; options of the command line, such as `--port`, override them.
    `await setup(engine)` is called when the engine of a run is open, before its first step: it may
    add log rules, listen, or make folders. If it raises, nothing runs. `keep` has the rules of
    retention: see `Config`.

        if __name__ == "__main__":
            current.main(pipeline)
    """
    from pycurrent.cli.load import Extras
    from pycurrent.cli.script import run_script

    run_script(pipeline, Extras(site, setup, keep))
