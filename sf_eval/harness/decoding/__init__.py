"""A run's decoders, and the cores that they share with torch."""
