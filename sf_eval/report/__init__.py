"""Records become tables, files and pages."""
