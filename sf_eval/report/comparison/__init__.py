"""Several runs against each other: the record, its tables, plot and files."""
