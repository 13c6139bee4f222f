"""Open answers, which no letter settles: the same words as an accepted answer, or words like it."""
