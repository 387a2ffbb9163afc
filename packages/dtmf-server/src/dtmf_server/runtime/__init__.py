"""What every part of a running process shares."""
