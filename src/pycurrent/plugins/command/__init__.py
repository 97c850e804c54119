"""Commands in checkouts of commits, or in empty folders for other values."""

from pycurrent.plugins.command.environment import CleanEnv
from pycurrent.plugins.command.output import output
from pycurrent.plugins.command.report import Report
from pycurrent.plugins.command.run import run
from pycurrent.plugins.command.sandbox import Sandbox
from pycurrent.plugins.command.set import set

__all__ = ["CleanEnv", "Report", "Sandbox", "output", "run", "set"]
