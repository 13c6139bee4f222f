"""FLOPs counted by running the real modules on the meta device."""
