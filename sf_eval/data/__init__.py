"""A source (Hub, directory, mini edition) becomes an opened benchmark; the doctor looks at all of it."""

from __future__ import annotations

from sf_eval.data.opened import OpenBenchmark
from sf_eval.data.opening import open_benchmark
from sf_eval.data.source import DataSource, parse_source

__all__ = ["DataSource", "OpenBenchmark", "open_benchmark", "parse_source"]
