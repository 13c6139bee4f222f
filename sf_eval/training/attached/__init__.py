"""Learning with a slow path attached to another model: on questions about videos, and as a toy of tokens.

`sf-eval attach train` and `sf-eval attach toy` do it. docs/attaching.md tells what was found.
"""
