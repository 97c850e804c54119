"""Forges: repositories with changes that people discuss, in words that are the same for all."""
