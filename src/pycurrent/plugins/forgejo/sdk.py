"""The package of `pycurrent[forgejo]`. Only this module imports it.

If it is missing, importing this plugin raises UsageError; the rest of pycurrent works without.
"""

from pycurrent.errors import UsageError

try:
    import httpx
except ModuleNotFoundError as error:
    package = (error.name or "a package").partition(".")[0]
    raise UsageError(
        f'Forgejo needs {package}, which is missing: pip install "pycurrent[forgejo]"'
    ) from error

__all__ = ["httpx"]
