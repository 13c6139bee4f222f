"""A tiny video model of the Qwen2.5-VL class, trained on videos of the mini editions' kind.

It has no slow path: it is what one is attached to, where no real weights are at hand. `sf-eval attach base`
trains it; docs/attaching.md tells what was found.
"""
