"""Logins at OpenID providers (OpenID Connect Core 1.0, Discovery 1.0)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from pycurrent.engine import Clock, Secret
from pycurrent.errors import UsageError
from pycurrent.plugins.login.oauth import AccessEnded, Endpoints, OAuthLogin, Person
from pycurrent.service.login import Role

if TYPE_CHECKING:
    from pycurrent.plugins.login.sdk import AsyncOAuth2Client

_SIGNED_BY = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA")
"""Algorithms of a provider's own key. HS256, say, would take our secret for one."""
_UNAUTHORIZED = 401
_LEEWAY = 60
"""Seconds that the clocks may be apart."""


class OpenID(OAuthLogin):
    """A login at an OpenID provider, which is asked for its addresses and keys at each login.

    `issuer` is its address, as it names itself. The claim `user_claim` of its user information is
    the name of a user, and `group_claim` the list of groups, to which roles can be given as
    `group:NAME`. `scopes` are asked for beside `openid profile`. Register the callback there:
    `https://<site>/login/<id>/callback`.
    """

    kinds: ClassVar[tuple[str, ...]] = ("user", "group")
    scopes: ClassVar[tuple[str, ...]] = ("openid", "profile")

    def __init__(
        self,
        issuer: str,
        client_id: str,
        secret: Secret | str,
        *,
        roles: Mapping[str, Role],
        id: str = "openid",
        title: str = "OpenID",
        user_claim: str = "preferred_username",
        group_claim: str = "groups",
        scopes: Sequence[str] = (),
        clock: Clock | None = None,
    ) -> None:
        parts = urlsplit(issuer)
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.query:
            raise UsageError(
                f"{issuer!r} is not the address of an OpenID provider: expected"
                " https://login.example.org"
            )
        super().__init__(
            client_id, secret, roles=roles, id=id, title=title, scopes=scopes, clock=clock
        )
        self.issuer = issuer.rstrip("/")
        self._user_claim = user_claim
        self._group_claim = group_claim

    async def endpoints(self) -> Endpoints:
        told = await self._discovered()
        return Endpoints(told["authorization_endpoint"], told["token_endpoint"])

    def also_asked(self, nonce: str) -> Mapping[str, str]:
        return {"nonce": nonce}

    async def check_identity(self, token: Mapping[str, Any], nonce: str) -> None:
        told = await self._discovered()
        keys = await self._json(told["jwks_uri"])
        try:
            claims = self._sdk.jwt.decode(
                token["id_token"], self._sdk.KeySet.import_key_set(keys), algorithms=_SIGNED_BY
            ).claims
            self._sdk.jwt.JWTClaimsRegistry(
                now=int(self._clock.now().timestamp()),
                leeway=_LEEWAY,
                iss={"essential": True, "value": told["issuer"]},
                aud={"essential": True, "value": self.client_id},
                exp={"essential": True},
                sub={"essential": True},
                nonce={"essential": True, "value": nonce},
            ).validate(claims)
        except (self._sdk.JoseError, KeyError, TypeError) as error:
            raise ValueError(f"its ID token is not right: {error}") from None
        if claims.get("azp", self.client_id) != self.client_id:
            raise ValueError("its ID token was made for another site")

    async def person(self, client: AsyncOAuth2Client) -> Person:
        told = await self._discovered()
        answer = await client.get(told["userinfo_endpoint"])
        if answer.status_code == _UNAUTHORIZED:
            raise AccessEnded
        answer.raise_for_status()
        claims = _object(answer.json())
        login = claims.get(self._user_claim) or claims.get("sub")
        if not isinstance(login, str) or not login:
            raise ValueError(f"{self.issuer} does not say who has logged in")
        groups = claims.get(self._group_claim)
        listed = groups if isinstance(groups, list) else []
        names = [name for name in listed if isinstance(name, str)]
        parts = frozenset({f"user:{login}", *(f"group:{name}" for name in names)})
        name = claims.get("name")
        return Person(login, name if isinstance(name, str) and name else login, parts)

    async def _discovered(self) -> Mapping[str, Any]:
        told = await self._json(f"{self.issuer}/.well-known/openid-configuration")
        named = told.get("issuer")
        if not isinstance(named, str) or named.rstrip("/") != self.issuer:
            raise self._sdk.httpx2.ProtocolError(f"{self.issuer} calls itself {named!r}")
        return told

    async def _json(self, address: str) -> Mapping[str, Any]:
        async with self._sdk.httpx2.AsyncClient(timeout=20) as client:
            answer = await client.get(address)
            answer.raise_for_status()
            try:
                return _object(answer.json())
            except ValueError:
                raise self._sdk.httpx2.ProtocolError(f"{address} is not JSON") from None


def _object(told: object) -> Mapping[str, Any]:
    if not isinstance(told, dict):
        raise ValueError("it is not a JSON object")
    return told
