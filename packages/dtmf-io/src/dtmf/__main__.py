"""`python -m dtmf`: the command line."""

from dtmf.cli import main

raise SystemExit(main())
