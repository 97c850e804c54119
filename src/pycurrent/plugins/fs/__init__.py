"""Files that follow the pipeline."""

from pycurrent.plugins.fs.save import save

__all__ = ["save"]
