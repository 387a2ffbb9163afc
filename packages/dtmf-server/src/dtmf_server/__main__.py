"""`python -m dtmf_server`: the same as `dtmf-server`."""

from dtmf_server.cli.main import main

raise SystemExit(main())
