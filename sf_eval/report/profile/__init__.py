"""A profile as tables, plots and a page, on the screen and on disk."""
