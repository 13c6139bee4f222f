"""How the embedded mini models are trained: an example of training the slow path, from nothing to weights.

`sf-eval mini train` does it all. docs/mini.md tells what was found.
"""
