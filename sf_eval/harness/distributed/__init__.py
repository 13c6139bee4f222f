"""A run on many workers (docs/scaling.md): one driver hands out videos, each worker has a model of its own.

Only `cluster`, `crew`, `decoding` and `survey` know Ray; what is handed to whom (`schedule`) and what a
worker does (`worker`) need none.
"""
