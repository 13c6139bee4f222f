"""Latency and memory measured on this machine."""
