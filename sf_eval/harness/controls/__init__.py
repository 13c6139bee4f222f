"""Runs that ask otherwise than the benchmark is, to tell what an accuracy comes from (docs/controls.md)."""
