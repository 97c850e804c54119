"""For what takes as long as it takes."""

from pycurrent import Active
from pycurrent.testing import Harness


async def over(h: Harness) -> None:
    """Wait until the pipeline has an outcome."""
    await h.until(lambda: not isinstance(h.output, Active), timeout=40)
