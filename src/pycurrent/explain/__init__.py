"""Explains jobs: which stages use them, and why they failed.

Import what you need from its modules. Each run records the uses of jobs; the patterns that find
errors in logs are not needed for that.
"""
