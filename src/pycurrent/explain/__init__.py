"""Explaining failures: the lines of a log that tell why, the kind, and what fails alike.

The functions here take texts and logs. They know neither an engine nor a database.
"""

from pycurrent.explain.fingerprints import Fingerprint, fingerprint

__all__ = ["Fingerprint", "fingerprint"]
