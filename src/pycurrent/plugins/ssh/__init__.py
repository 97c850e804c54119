"""Commands on other machines, by OpenSSH."""

from pycurrent.plugins.ssh.host import Host
from pycurrent.plugins.ssh.hosts import Hosts
from pycurrent.plugins.ssh.output import output
from pycurrent.plugins.ssh.run import run

__all__ = ["Host", "Hosts", "output", "run"]
