"""The process: what it opens, what it runs, and how it stops."""
