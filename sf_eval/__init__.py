"""sf-eval: evaluation harness and profiler for the slow-fast video MLLM (arXiv 2504.01328)."""

__version__ = "0.1.0"
