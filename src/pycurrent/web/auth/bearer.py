"""The token that a request brings (RFC 6750)."""

from __future__ import annotations

from fastapi import Request

from pycurrent.web.users.keys import TOKEN_PREFIX


def token_of(request: Request) -> str | None:
    """The token of ours in its headers, valid or not; empty where there is none after all.

    A proxy that asks for a password or a token of its own hands those on: what is not ours says
    nothing about who is asking us.
    """
    for value in request.headers.getlist("authorization"):
        scheme, _, token = value.strip().partition(" ")
        token = token.strip()
        if scheme.lower() == "bearer" and (not token or token.startswith(TOKEN_PREFIX)):
            return token
    return None
