"""The layers between the network and the site."""

from pycurrent.web.protection.bodies import LimitedBodies
from pycurrent.web.protection.bugs import BugsAnswered
from pycurrent.web.protection.compact import takes_gzip
from pycurrent.web.protection.connections import KEPT_SECONDS, PatientProtocol
from pycurrent.web.protection.headers import EMBEDDED, SecurityHeaders
from pycurrent.web.protection.hosts import OwnHostsOnly
from pycurrent.web.protection.protect import protect
from pycurrent.web.protection.render import Render

__all__ = [
    "EMBEDDED",
    "KEPT_SECONDS",
    "BugsAnswered",
    "LimitedBodies",
    "OwnHostsOnly",
    "PatientProtocol",
    "Render",
    "SecurityHeaders",
    "protect",
    "takes_gzip",
]
