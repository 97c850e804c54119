"""The layers between the network and the site."""

from pycurrent.web.middleware.bodies import LimitedBodies
from pycurrent.web.middleware.bugs import BugsAnswered
from pycurrent.web.middleware.compact import takes_gzip
from pycurrent.web.middleware.connections import KEPT_SECONDS, PatientProtocol
from pycurrent.web.middleware.headers import EMBEDDED, FRAMING, SecurityHeaders
from pycurrent.web.middleware.hosts import OwnHostsOnly
from pycurrent.web.middleware.protect import protect
from pycurrent.web.middleware.render import Render

__all__ = [
    "EMBEDDED",
    "FRAMING",
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
