"""Files that a recorded run leaves beside its results."""
