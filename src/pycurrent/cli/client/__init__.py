"""`pycurrent client`: inspects and controls an engine by its HTTP API.

It imports as little as possible: a script may call it for each of a thousand jobs.
"""
