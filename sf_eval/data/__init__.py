"""A source (Hub, directory, mini edition) becomes an opened benchmark; the doctor looks at all of it."""

from __future__ import annotations

from sf_eval.data.opening import DataSource, OpenBenchmark, open_benchmark, parse_source

__all__ = ["DataSource", "OpenBenchmark", "open_benchmark", "parse_source"]
