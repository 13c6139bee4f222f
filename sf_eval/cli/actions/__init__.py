"""What a verb does once its heavy imports are paid for: `--help` needs none of these files."""
