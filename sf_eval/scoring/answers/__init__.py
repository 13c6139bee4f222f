"""Reads the letter of an option from a model's words, or none; docs/scoring.md tells by which rules."""
