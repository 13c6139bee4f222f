"""The plugin to lmms-eval: its model `slowfast` and our tasks. Nothing but the command line imports it."""
