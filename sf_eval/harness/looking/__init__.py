"""`sf-eval look`: the questions of a finished run are shown to its model again, to see where it looked."""
