"""Identifies the senders of requests, and decides what they may do."""

from pycurrent.web.auth.access import Access, Caller, Via, check_access
from pycurrent.web.auth.bearer import token_of
from pycurrent.web.auth.entrance import Entrance
from pycurrent.web.auth.errors import CsrfRejected, NotAllowed, NotLoggedIn, TooManyAttempts
from pycurrent.web.auth.requests import (
    access_of,
    caller_of,
    csrf_checked,
    require,
    require_unless,
)
from pycurrent.web.auth.site import Reach, SiteAddress

__all__ = [
    "Access",
    "Caller",
    "CsrfRejected",
    "Entrance",
    "NotAllowed",
    "NotLoggedIn",
    "Reach",
    "SiteAddress",
    "TooManyAttempts",
    "Via",
    "access_of",
    "caller_of",
    "check_access",
    "csrf_checked",
    "require",
    "require_unless",
    "token_of",
]
