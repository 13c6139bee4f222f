"""FLOPs, tokens and memory in closed form: plain integers, no torch."""
