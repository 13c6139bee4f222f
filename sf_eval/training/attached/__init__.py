"""Learning with an attached slow path: a toy that shows what it learns, frozen language model and all.

`sf-eval attach toy` does it. docs/attaching.md tells what was found.
"""
