"""The packages of `pycurrent[login]`. Only this module imports them, when a login is made.

If one is missing, importing this module raises UsageError; the rest of pycurrent works without.
"""

from pycurrent.errors import UsageError

try:
    import httpx2
    from authlib.integrations.httpx_client import AsyncOAuth2Client, OAuthError
    from joserfc import jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import KeySet
except ModuleNotFoundError as error:
    package = (error.name or "a package").partition(".")[0]
    raise UsageError(
        f'logins at other sites need {package}, which is missing: pip install "pycurrent[login]"'
    ) from error

__all__ = ["AsyncOAuth2Client", "JoseError", "KeySet", "OAuthError", "httpx2", "jwt"]
