"""The packages of `pycurrent[github]`. Only this module imports them.

If one is missing, importing it raises UsageError; the rest of pycurrent works without.
"""

from pycurrent.errors import UsageError

try:
    import httpx
    from joserfc import jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import RSAKey
except ModuleNotFoundError as error:
    package = (error.name or "a package").partition(".")[0]
    raise UsageError(
        f'GitHub needs {package}, which is missing: pip install "pycurrent[github]"'
    ) from error

__all__ = ["JoseError", "RSAKey", "httpx", "jwt"]
