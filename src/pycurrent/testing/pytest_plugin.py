"""Fixtures for tests of pipelines."""
