"""One of Jasmin's daemons, without its lock in the system's temporary folder: `jasmin_daemon.py MODULE CLASS OPTION …`."""

import importlib
import signal
import sys

module, name, *arguments = sys.argv[1:]
found = importlib.import_module(f"jasmin.bin.{module}")
options = found.Options()
options.parseOptions(arguments)
daemon = getattr(found, name)(options)
signal.signal(signal.SIGTERM, daemon.sighandler_stop)
daemon.start()
found.reactor.run()
