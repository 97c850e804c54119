"""The one root of the exceptions that pycurrent raises.

A message says what is wrong, with which value, and what to do about it, in one line:
the command line prints it as it is.
"""


class PycurrentError(Exception):
    """The root of all exceptions that pycurrent raises."""


class UsageError(PycurrentError):
    """Something was used wrongly; the command line exits with status 2."""


class WrongKind(UsageError, TypeError):
    """An argument is of the wrong kind.

    It is also the `TypeError` that Python itself would raise.
    """
