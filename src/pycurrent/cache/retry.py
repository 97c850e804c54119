"""How often work that has failed is tried again by itself.

An attempt is a job like any other, with its own record and log. Its number is in its cause (see
`Retried` in `cause.py`), so it is known after a restart, too.
"""

from __future__ import annotations

from datetime import timedelta

from msgspec import Struct

from pycurrent.engine.level import Level
from pycurrent.errors import UsageError, WrongKind
from pycurrent.term import FailureKind, shown

HIGHEST = Level.AVERAGE
"""Work above this level is never tried again by itself."""


class Retry(Struct, frozen=True):
    """How many further attempts follow a failure, by its kind: `infra` if the work is not to blame,
    `timeout` if it took too long, `real` if it is the work's own.

    The first of them comes after the pause `backoff`; each further pause is twice as long as the
    last one, up to five minutes. All attempts in a row count, whatever their kinds; a rebuild,
    another value and a schedule begin with a first attempt. A job above the level average is not
    tried again, and neither is one that a person has cancelled.

    Raises `UsageError` for a number below 0, or a `backoff` that is not a length of time.
    """

    infra: int = 2
    timeout: int = 0
    real: int = 0
    backoff: timedelta = timedelta(seconds=30)

    def __post_init__(self) -> None:
        for name in ("infra", "timeout", "real"):
            count = getattr(self, name)
            if isinstance(count, bool) or not isinstance(count, int):
                raise WrongKind(
                    f"Retry: {name}= takes the number of further attempts, not {shown(count)}"
                )
            if count < 0:
                raise UsageError(f"Retry: {name}= takes 0 or more further attempts, not {count}")
        if not isinstance(self.backoff, timedelta):
            raise WrongKind(
                f"Retry: backoff= takes a timedelta, not {shown(self.backoff)}: write"
                " timedelta(seconds=30)"
            )
        if self.backoff < timedelta(0):
            raise UsageError(f"Retry: backoff= takes 0 seconds or more, not {self.backoff}")

    @property
    def tries_anew(self) -> bool:
        """True if the first engine after a failure that the work is not to blame for tries again,
        even if all attempts have failed.
        """
        return self.infra > 0

    def attempts(self, kind: FailureKind) -> int:
        """The number of attempts, the first one included, if they fail with this kind."""
        match kind:
            case FailureKind.INFRA:
                return 1 + self.infra
            case FailureKind.TIMEOUT:
                return 1 + self.timeout
            case FailureKind.REAL:
                return 1 + self.real
            case FailureKind.CANCELLED:
                return 1


class _Unsaid(Retry, frozen=True):
    """The retry of work of which its author has said nothing: one engine tries it once."""

    @property
    def tries_anew(self) -> bool:
        return True


DEFAULT = _Unsaid(infra=0)


def check_retry(retry: object, where: str = "") -> None:
    """Raise `WrongKind` if it is neither a `Retry` nor None."""
    if retry is not None and not isinstance(retry, Retry):
        raise WrongKind(
            f"{where and f'{where}: '}retry= takes a Retry, not {shown(retry)}: write"
            " Retry(infra=3), say"
        )
