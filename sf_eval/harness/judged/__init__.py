"""Open answers judged by a language model: asking it, and what it said, kept in the run's folder."""
