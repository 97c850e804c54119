"""Commands in checkouts of commits."""

from pycurrent.plugins.command.output import output
from pycurrent.plugins.command.run import run
from pycurrent.plugins.command.sandbox import Sandbox

__all__ = ["Sandbox", "output", "run"]
