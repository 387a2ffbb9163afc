"""Kannel 1.4.5: bearerbox and smsbox, with its spool, logging errors only."""

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.gateways.process_env import Pids, folder, free_ports, program
from benchmarks.gateways.smsc import Smsc

CONFIG = """
group = core
admin-port = {admin}
admin-interface = 127.0.0.1
admin-password = bench
smsbox-port = {smsbox}
smsbox-interface = 127.0.0.1
box-allow-ip = 127.0.0.1
log-level = 3
store-type = spool
store-location = {spool}

group = smsc
smsc = smpp
smsc-id = bench
host = 127.0.0.1
port = {smpp}
transceiver-mode = true
interface-version = 34
smsc-username = kannel
smsc-password = bench
system-type = bench

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {sendsms}
sendsms-interface = 127.0.0.1
log-level = 3

group = sms-service
keyword = default
catch-all = true
max-messages = 0
get-url = "{webhook}?text=%a&from=%p&to=%P"
"""


@contextmanager
def running(smsc: Smsc) -> Iterator[Pids]:
    """Run Kannel, bound."""
    with folder() as place:
        admin, box, sendsms = free_ports(3)
        (place / "spool").mkdir()
        config = place / "kannel.conf"
        config.write_text(
            CONFIG.format(
                admin=admin,
                smsbox=box,
                sendsms=sendsms,
                spool=place / "spool",
                smpp=smsc.port,
                webhook=smsc.webhook,
            )
        )
        with (
            program(["/usr/sbin/bearerbox", str(config)], log=place / "bearerbox.log", listens_on=box) as bearerbox,
            program(["/usr/sbin/smsbox", str(config)], log=place / "smsbox.log", listens_on=sendsms) as smsbox,
        ):
            smsc.wait_for_bind("kannel")
            yield bearerbox, smsbox
