"""Connection pool: connects to vetted addresses only, bounded in number and age."""

import asyncio
import socket
import ssl
from dataclasses import dataclass, field

from aiohappyeyeballs import AddrInfoType, start_connection

from dtmf_server.core.webhook_url import Destination
from dtmf_server.webhooks.connection import Connection, Reply
from dtmf_server.webhooks.resolver import VettingResolver

NEXT_ADDRESS_S = 0.25  # delay before the next address is tried in parallel (RFC 8305 §5)


@dataclass(slots=True)
class _Host:
    """The connections to one scheme, host and port."""

    free: asyncio.Semaphore
    users: int = 0
    idle: list[Connection] = field(default_factory=list)  # the most recently used is last


class Pool:
    """A pool of connections, each for one exchange at a time. `life_s`: maximum age, so that none is used long after it was
    vetted. Use it from one event loop only."""

    def __init__(
        self, resolver: VettingResolver, tls: ssl.SSLContext, *, life_s: float, most: int, most_of_host: int
    ) -> None:
        self._resolver, self._tls, self._life_s = resolver, tls, life_s
        self._most, self._most_of_host = most, most_of_host
        self._free = asyncio.Semaphore(most)
        self._hosts: dict[tuple[str, str, int], _Host] = {}
        self._idle = 0
        self._sweep: asyncio.TimerHandle | None = None

    async def exchange(self, destination: Destination, request: bytes, reply: Reply, dialled: list[str]) -> None:
        """Run one exchange with the destination; append the addresses tried to `dialled`. Raises OSError and NoReply."""
        key = destination.scheme, destination.host, destination.port
        host = self._hosts.get(key)
        if host is None:
            host = self._hosts[key] = _Host(asyncio.Semaphore(self._most_of_host))
        host.users += 1
        try:
            async with host.free, self._free:
                connection = self._kept(host) or await self._dial(destination, dialled)
                try:
                    await connection.exchange(request, reply)
                finally:
                    self._put_back(host, connection)
        finally:
            host.users -= 1
            self._forget_unused(key)

    def close(self) -> None:
        """Close all idle connections."""
        if self._sweep is not None:
            self._sweep.cancel()
        for host in self._hosts.values():
            for connection in host.idle:
                connection.close()
        self._hosts.clear()

    def _kept(self, host: _Host) -> Connection | None:
        """Return an idle connection that may still be used."""
        while host.idle:
            connection = host.idle.pop()
            self._idle -= 1
            if connection.is_reusable and not self._is_old(connection):
                return connection
            connection.close()
        return None

    def _put_back(self, host: _Host, connection: Connection) -> None:
        if not connection.is_reusable or self._is_old(connection) or self._idle >= self._most:
            connection.close()
            return
        host.idle.append(connection)
        self._idle += 1
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(self._life_s, self._hang_up_on_old)

    def _is_old(self, connection: Connection) -> bool:
        return asyncio.get_running_loop().time() - connection.opened_s >= self._life_s

    def _hang_up_on_old(self) -> None:
        """Close idle connections that are too old; reschedule while any are left."""
        for key, host in list(self._hosts.items()):
            for connection in [kept for kept in host.idle if self._is_old(kept)]:
                host.idle.remove(connection)
                self._idle -= 1
                connection.close()
            self._forget_unused(key)
        again = self._idle > 0
        self._sweep = asyncio.get_running_loop().call_later(self._life_s, self._hang_up_on_old) if again else None

    def _forget_unused(self, key: tuple[str, str, int]) -> None:
        host = self._hosts.get(key)
        if host is not None and not host.users and not host.idle:
            del self._hosts[key]

    async def _dial(self, destination: Destination, dialled: list[str]) -> Connection:
        """Connect to one of the destination's addresses after vetting all of them."""

        def open_socket(info: AddrInfoType) -> socket.socket:
            """Vet the address once more, including IP literals in URLs, and open the socket."""
            family, kind, protocol, _, sockaddr = info
            address, port = str(sockaddr[0]), sockaddr[1]
            self._resolver.vet(address)
            dialled.append(f"[{address}]:{port}" if ":" in address else f"{address}:{port}")
            opened = socket.socket(family, kind, protocol)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return opened

        infos = await self._infos(destination)
        dialling = await start_connection(infos, happy_eyeballs_delay=NEXT_ADDRESS_S, socket_factory=open_socket)
        is_secure = destination.scheme == "https"
        try:
            _, connection = await asyncio.get_running_loop().create_connection(
                Connection,
                sock=dialling,
                ssl=self._tls if is_secure else None,
                server_hostname=destination.host if is_secure else None,
            )
        except BaseException:
            dialling.close()
            raise
        return connection

    async def _infos(self, destination: Destination) -> list[AddrInfoType]:
        """Resolve and vet the destination's addresses. Raises NotVetted or LookupFailed, both OSError."""
        literal = destination.address
        addresses = [str(literal)] if literal is not None else await self._resolver.resolve(destination.host)
        families = [socket.AF_INET6 if ":" in address else socket.AF_INET for address in addresses]
        return [
            (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, destination.port))
            for family, address in zip(families, addresses, strict=True)
        ]
