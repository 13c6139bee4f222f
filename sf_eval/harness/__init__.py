"""A run: plan, ask, keep, record."""
