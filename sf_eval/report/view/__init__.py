"""`sf-eval view`: a folder that opens in a browser, offline, and shows what was shown and what was said."""
