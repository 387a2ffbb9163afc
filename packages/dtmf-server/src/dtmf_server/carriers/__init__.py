"""Links to the telephone network, one file or folder per kind of carrier."""
