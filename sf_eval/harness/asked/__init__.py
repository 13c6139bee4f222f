"""What was asked and what came of it, read from the run's folder when it is wanted."""
