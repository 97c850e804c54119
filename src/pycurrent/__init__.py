"""Pipelines that keep things up to date."""
