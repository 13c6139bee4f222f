"""What a run is: plan, run, record. The only room that knows lmms-eval."""
