"""Resolve names to vetted addresses: one lookup, and one forbidden address rejects them all.

Rules:
1. A lookup is a blocking call that can't be cancelled, so it runs in its own daemon thread, where it delays neither the
   database's thread pool nor the process's exit. At most `lookups` run at a time.
2. A caller waits at most `limit_s`, including for a free thread. Callers for the same name share one lookup, so a dead
   name takes one thread, however many webhooks it has. Names whose last lookup succeeded, names whose last lookup failed
   and new names have separate thread limits: many dead names delay neither working nor new ones.
3. Names are looked up as absolute names (with the final dot), so local search domains don't apply.
4. An address of this machine is never dialed, even if it is public: services behind it may rely on a firewall.
5. `localhost` is never looked up: it is loopback (RFC 6761 §6.3), and the address rules decide whether that is allowed.
"""

import asyncio
import socket
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from ipaddress import ip_address

from dtmf_server.core.webhook_url import address_allowed

LIMIT_S = 3.0
LOOKUPS, LOOKUPS_OF_FOUND = 48, 16
LOOKUPS_OF_DEAD = 128  # 500 dead names are looked up every 45 s, and a lookup may take 10 s
REMEMBERED_NAMES = 10_000
DIALLED_ADDRESSES = 4  # all are vetted, at most this many are tried

Lookup = Callable[[str], Sequence[str]]


class NotVetted(OSError):
    """The destination has an address that webhooks may not be sent to."""


class LookupFailed(OSError):
    """The name has no address, or its name servers did not answer in time."""


def look_up(name: str) -> Sequence[str]:
    """Return all addresses of `name` from the system's resolver. Blocks; raises LookupFailed."""
    try:
        found = socket.getaddrinfo(f"{name}.".encode("ascii"), None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            raise LookupFailed(f"the name servers of {name} do not answer") from error
        raise LookupFailed(f"{name} does not resolve to any address") from error
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


def is_ours(address: str) -> bool:
    """True if this machine has the address, other than as loopback. Checked by binding a socket to it."""
    return not ip_address(address).is_loopback and _can_be_bound(address) and not _binds_anything()


def _can_be_bound(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


@cache
def _binds_anything() -> bool:
    """True if the system allows binding to any address (ip_nonlocal_bind), which makes the check meaningless."""
    return _can_be_bound("203.0.113.1")  # reserved for documentation (RFC 5737)


class VettingResolver:
    """Resolves and vets addresses before they are dialed. Belongs to the event loop it is first used in."""

    def __init__(
        self,
        *,
        sandbox: bool,
        is_own: Callable[[str], bool] = is_ours,
        lookup: Lookup = look_up,
        limit_s: float = LIMIT_S,
        lookups: int = LOOKUPS,
        lookups_of_found: int = LOOKUPS_OF_FOUND,
        lookups_of_dead: int = LOOKUPS_OF_DEAD,
    ) -> None:
        self._sandbox = sandbox
        self._is_own = is_own
        self._lookup = lookup
        self._limit_s = limit_s
        # Free threads by the name's last lookup: succeeded (True), failed (False), none yet (None).
        self._free = {
            True: asyncio.Semaphore(lookups_of_found),
            False: asyncio.Semaphore(lookups_of_dead),
            None: asyncio.Semaphore(lookups),
        }
        self._was_found: OrderedDict[str, bool] = OrderedDict()  # the most recently used is last
        self._running: dict[str, asyncio.Future[Sequence[str] | Exception]] = {}

    async def resolve(self, host: str) -> Sequence[str]:
        """Return vetted addresses of `host`. Raises NotVetted or LookupFailed, both OSError."""
        addresses = ["127.0.0.1", "::1"] if host == "localhost" else await self._addresses(host)
        for address in addresses:
            self.vet(address, host=host)
        return addresses[:DIALLED_ADDRESSES]

    def vet(self, address: str, *, host: str | None = None) -> None:
        """Raise NotVetted, naming the address, if webhooks may not be sent there."""
        found = address if host is None or host == address else f"{host} resolves to {address}, which"
        if not address_allowed(address, sandbox=self._sandbox):
            raise NotVetted(f"{found} is not a public address")
        if self._is_own(address):
            raise NotVetted(f"{found} is an address of this service itself")

    async def _addresses(self, name: str) -> Sequence[str]:
        free = self._free[self._was_found.get(name)]
        try:
            async with asyncio.timeout(self._limit_s):
                if name not in self._running:
                    await free.acquire()
                    if name in self._running:  # another caller started it while this one waited for a thread
                        free.release()
                    else:
                        self._running[name] = self._start(name, free)
                found = await asyncio.shield(self._running[name])
        except TimeoutError:
            if name in self._running:  # otherwise there was no free thread, which says nothing about the name
                self._remember(name, was_found=False)
            raise LookupFailed(f"looking up {name} took longer than {self._limit_s:g} s") from None
        if isinstance(found, Exception):
            self._remember(name, was_found=False)
            raise found
        self._remember(name, was_found=bool(found))
        if not found:
            raise LookupFailed(f"{name} does not resolve to any address")
        return found

    def _remember(self, name: str, *, was_found: bool) -> None:
        self._was_found[name] = was_found
        self._was_found.move_to_end(name)
        if len(self._was_found) > REMEMBERED_NAMES:
            self._was_found.popitem(last=False)

    def _start(self, name: str, free: asyncio.Semaphore) -> asyncio.Future[Sequence[str] | Exception]:
        """Start a thread that looks up `name`; return the future of its result or exception."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Sequence[str] | Exception] = loop.create_future()

        def finish(found: Sequence[str] | Exception) -> None:
            free.release()
            del self._running[name]
            if not answer.done():
                answer.set_result(found)

        def run() -> None:
            found: Sequence[str] | Exception
            try:
                found = self._lookup(name)
            except Exception as error:  # passed on to the waiting callers
                found = error
            with suppress(RuntimeError):  # the loop was closed in the meantime
                loop.call_soon_threadsafe(finish, found)

        try:
            threading.Thread(target=run, name=f"look up {name}", daemon=True).start()
        except RuntimeError as error:  # the system is out of threads
            free.release()
            raise LookupFailed(f"{name} could not be looked up: {error}") from error
        return answer
