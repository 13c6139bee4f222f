"""What every room of the house stands on: errors, paths, files, model cards. No torch, no lmms-eval."""
