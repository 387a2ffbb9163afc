"""The process lifecycle: what a process opens, what it runs, and how it stops."""
