"""When did it happen? What the mini model learns of time with its slow keys as published, and turned.

`sf-eval mini when` does it all. docs/mini.md tells what was found.
"""
