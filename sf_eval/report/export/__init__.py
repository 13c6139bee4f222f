"""A run in formats that others read (docs/exporting.md)."""
