"""What a judge (a language model) is asked about an open answer, and what of its words is a verdict."""
