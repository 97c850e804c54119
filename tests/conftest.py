"""What holds for all tests, wherever they are run."""

import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from hypothesis import HealthCheck, settings

from .effort import examples

# The same examples each time, so that a failure is not a matter of luck; and no limit of time
# for one, since the machine may be busy with something else.
settings.register_profile(
    "tests",
    derandomize=True,
    deadline=None,
    max_examples=examples(),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("tests")

# A shell's background jobs, and what `nohup` runs, ignore signals from the start, and so would
# the commands that tests run and send signals to.
for number, usual in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
    (signal.SIGQUIT, signal.SIG_DFL),
):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, usual)


@pytest.fixture
def full_disk() -> Callable[[], AbstractContextManager[None]]:
    """For a block, no file of this process grows, as on a full disk."""

    @contextmanager
    def full() -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return full
