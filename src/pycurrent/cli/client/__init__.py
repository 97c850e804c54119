"""`pycurrent client`: looks at an engine, and steers it, from elsewhere, by its HTTP API.

No more is imported than it takes: a script may call this for each of a thousand jobs.
"""
