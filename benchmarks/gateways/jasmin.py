"""Jasmin 0.11.1: jasmind and deliversmd, set up as in its manual, with Redis and RabbitMQ, logging errors only."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks import environments
from benchmarks.gateways.process_env import Pids, folder, free_ports, program, wait_until
from benchmarks.gateways.smsc import Smsc
from benchmarks.processes import PEERS

LAUNCHER = str(PEERS / "jasmin_daemon.py")
RABBITMQ = "/usr/lib/rabbitmq/bin"
LOGGERS = (
    *("smpp-server", "smpp-server-pb", "client-management", "service-smppclient", "sm-listener", "dlr"),
    *("amqp-broker", "http-api", "router", "deliversm-thrower", "dlr-thrower", "redis-client", "jcli"),
)
SETTINGS = {
    "smpp-server": "port = {smpp_server}\nbind = 127.0.0.1",
    "smpp-server-pb": "port = {smpp_server_pb}\nbind = 127.0.0.1",
    "client-management": "port = {management}\nbind = 127.0.0.1\nstore_path = {folder}",
    "router": "port = {router}\nbind = 127.0.0.1\nstore_path = {folder}",
    "jcli": "port = {jcli}\nauthentication = False",
    "amqp-broker": "port = {amqp}\nspec = {spec}",
    "redis-client": "port = {redis}",
    "smpp-server-pb-client": "port = {smpp_server_pb}",
}
PORTS = ("smpp_server", "smpp_server_pb", "management", "router", "jcli", "amqp", "redis", "epmd", "distribution")
COMMANDS = """
httpccm -a
cid sink
url {webhook}
method POST
ok
morouter -a
type DefaultRoute
connector http(sink)
ok
smppccm -a
cid bench
host 127.0.0.1
port {smpp}
username jasmin
password bench
loglevel 40
ok
smppccm -1 bench
"""


@contextmanager
def running(smsc: Smsc) -> Iterator[Pids]:
    """Run Jasmin, bound."""
    python = environments.python_of("jasmin")
    with folder() as place, ExitStack() as stack:
        ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        redis = ["redis-server", "--bind", "127.0.0.1", "--port", str(ports["redis"]), "--dir", str(place)]
        pids = [stack.enter_context(program(redis, log=place / "redis.log", listens_on=ports["redis"]))]
        broker = _environment(place, ports)
        pids += _start_rabbitmq(stack, place, ports, broker)
        config = place / "jasmin.cfg"
        config.write_text(_config(place, python, ports))
        environ = {"LOG_PATH": str(place), "CONFIG_PATH": str(place)}
        for module, name, *options in (
            ("jasmind", "JasminDaemon", "--disable-http-api"),
            ("deliversmd", "DeliverSmDaemon"),
        ):
            command = [str(python), LAUNCHER, module, name, "--config", str(config), *options]
            port = ports["jcli"] if module == "jasmind" else None
            log = place / f"{module}.out"
            pids.append(stack.enter_context(program(command, log=log, listens_on=port, environ=environ)))
        # Until deliversmd has created its queue, the broker drops messages published for it.
        wait_until(lambda: "deliver_sm_thrower" in _consumers(broker), what="Jasmin's deliversmd is consuming")
        _say(ports["jcli"], COMMANDS.format(webhook=smsc.webhook, smpp=smsc.port))
        smsc.wait_for_bind("jasmin")
        yield pids


def _environment(place: Path, ports: dict[str, int]) -> dict[str, str]:
    """Return RabbitMQ's environment: a private folder, and loopback only."""
    return {
        "HOME": str(place),
        "ERL_EPMD_PORT": str(ports["epmd"]),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": "dtmf-bench@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(ports["amqp"]),
        "RABBITMQ_DIST_PORT": str(ports["distribution"]),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "RABBITMQ_MNESIA_BASE": str(place / "mnesia"),
        "RABBITMQ_LOG_BASE": str(place),
        "RABBITMQ_PID_FILE": str(place / "rabbitmq.pid"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(place / "plugins"),
    }


def _start_rabbitmq(stack: ExitStack, place: Path, ports: dict[str, int], environ: dict[str, str]) -> list[int]:
    """Start RabbitMQ and the port mapper it needs."""
    mapper = program(["epmd"], log=place / "epmd.log", listens_on=ports["epmd"], environ=environ)
    server = [f"{RABBITMQ}/rabbitmq-server"]
    broker = program(server, log=place / "rabbitmq.log", listens_on=ports["amqp"], environ=environ)
    return [stack.enter_context(mapper), stack.enter_context(broker)]


def _consumers(broker: dict[str, str]) -> str:
    """List the queues that have consumers."""
    command = [f"{RABBITMQ}/rabbitmqctl", "--quiet", "list_consumers"]
    return subprocess.run(
        command, env={**os.environ, **broker}, capture_output=True, text=True, timeout=60, check=False
    ).stdout


def _config(place: Path, python: Path, ports: dict[str, int]) -> str:
    spec = next(python.parent.parent.glob("lib/python*/site-packages/txamqp/specs/standard/amqp0-9-1.stripped.xml"))
    sections = dict.fromkeys(LOGGERS, "log_level = ERROR\n")
    for name, settings in SETTINGS.items():
        sections[name] = sections.get(name, "") + settings.format(**ports, folder=place, spec=spec)
    return "\n".join(f"[{name}]\n{settings}" for name, settings in sections.items())


def _say(port: int, lines: str) -> None:
    """Type lines into Jasmin's console, each after a prompt; the first prompt follows an empty line."""
    with socket.create_connection(("127.0.0.1", port), 30) as console:
        for line in ["", *lines.strip().splitlines()]:
            console.sendall(line.encode() + b"\r\n")
            said = b""
            while not said.rstrip().endswith((b"jcli :", b">")):
                heard = console.recv(4096)
                if not heard:
                    raise RuntimeError(f"Jasmin's console closed after {line!r}: {said!r}")
                said += heard
