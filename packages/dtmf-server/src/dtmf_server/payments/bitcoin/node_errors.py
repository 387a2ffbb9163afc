"""Why a Bitcoin node did not answer, and which setting to change. Pure.

Statuses: Bitcoin Core, src/httpserver.cpp and src/httprpc.cpp.
"""

import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import httpcore2

_SHOWN = 80  # characters of an unexpected body
_TIMEOUTS = (TimeoutError, httpcore2.TimeoutException)
_STATUSES = {
    401: "refuses our name or password (HTTP 401): check bitcoin.rpc, and rpcauth in the node's bitcoin.conf; with a cookie"
    " file, bitcoin.rpc_cookie must be the one that this node writes",
    403: "refuses calls from this machine, or refuses our user this call (HTTP 403): check rpcallowip, rpcbind and"
    " rpcwhitelist in the node's bitcoin.conf",
    404: "does not have this path (HTTP 404): bitcoin.rpc must end after the port, or name the path that your proxy gives to"
    " the node",
    405: "does not take POST (HTTP 405), so it is not Bitcoin Core's RPC: check host and port in bitcoin.rpc",
    407: "is a proxy that wants a password (HTTP 407): bitcoin.rpc must lead to the node itself",
    413: "refuses a call of this size (HTTP 413): raise the limit of the proxy in front of the node",
    429: "refuses so many calls (HTTP 429): raise the rate limit of whatever is in front of the node, or"
    " bitcoin.poll_seconds",
    500: "failed to carry a call out (HTTP 500): see the node's debug.log",
    502: "cannot be reached by the proxy in front of it (HTTP 502): check that the node runs",
    503: "is busy, its work queue is full (HTTP 503): this is tried again; if it lasts, raise rpcworkqueue and rpcthreads in"
    " the node's bitcoin.conf",
    504: "did not answer the proxy in front of it in time (HTTP 504): raise the timeout of the proxy",
}


def no_node(url: str) -> str:
    """Something answers, and not as a node does."""
    return f"{url} does not answer as Bitcoin Core does: check host and port in bitcoin.rpc"


def no_cookie(url: str, path: Path, reason: str) -> str:
    """The cookie file cannot be read."""
    return (
        f"the cookie file {path} of the node at {url} cannot be read ({reason}): check bitcoin.rpc_cookie, that the node"
        " runs, and rpccookieperms in its bitcoin.conf"
    )


def of_status(url: str, status: int, body: bytes) -> str:
    """What an answer of that status means, whose body is not what was asked for."""
    if status in _STATUSES:
        return f"the node at {url} {_STATUSES[status]}"
    if 300 <= status < 400:
        return (
            f"{url} redirects elsewhere (HTTP {status}), which Bitcoin Core never does: check scheme, host and port in"
            " bitcoin.rpc"
        )
    said = " ".join(body[:_SHOWN].decode("utf-8", "replace").split())
    if status == 200:
        return f"{no_node(url)} (it says {said!r})" if said else f"{no_node(url)} (its answer is empty)"
    return f"the node at {url} answers with HTTP {status} and {said!r}: check bitcoin.rpc, and the node's debug.log"


def too_long(url: str, bytes_max: int) -> str:
    """The answer has more bytes than any answer of a node."""
    return f"{no_node(url)} (its answer has more than {bytes_max:,} bytes)"


def of_connection(url: str, error: Exception, *, timeout_s: float, has_begun: bool) -> str:
    """What kept a call from being answered, or its answer, which had begun, from coming to its end."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    if has_begun and not isinstance(_root(error), _TIMEOUTS):
        cause = f"{host}:{port} broke its answer off: the node may have stopped"
    else:
        cause = _cause(error, host, port, parts.scheme, timeout_s)
    return f"the node at {url} does not answer: {cause}"


def _cause(error: Exception, host: str, port: int, scheme: str, timeout_s: float) -> str:
    root = _root(error)
    here = f"{host}:{port}"
    https = "" if scheme == "https" else ", or begin with https:// if the port has TLS"
    causes: list[tuple[bool, str]] = [  # the first that fits
        (
            isinstance(root, ssl.SSLCertVerificationError),
            f"the certificate of {host} is not trusted ({_reason(root)}): bitcoin.rpc needs a certificate that this machine"
            " trusts, or http://",
        ),
        (
            isinstance(root, ssl.SSLError),
            f"TLS with {here} failed ({_reason(root)}): Bitcoin Core's RPC has no TLS of its own, so bitcoin.rpc must begin"
            " with http:// unless a proxy in front of the node has it",
        ),
        (
            isinstance(root, socket.gaierror),
            f"the host name {host!r} cannot be resolved ({_reason(root)}): check bitcoin.rpc",
        ),
        (
            isinstance(root, _TIMEOUTS),
            f"no answer came within {timeout_s:g} s: check host and port in bitcoin.rpc, firewalls, and the node's load",
        ),
        (
            isinstance(root, ConnectionRefusedError),
            f"nothing listens on {here} (connection refused): check that the node runs with server=1, and bitcoin.rpc against"
            " its rpcport and rpcbind",
        ),
        (
            _is_closed(error, root),
            f"{here} closed the connection without an answer: the node may have stopped; else bitcoin.rpc must name its RPC"
            f" port, not its P2P port{https}",
        ),
        (
            isinstance(error, (httpcore2.ProtocolError, ValueError)),
            f"what {here} sends is not HTTP ({_reason(root)}): bitcoin.rpc must name the node's RPC port{https}",
        ),
    ]
    return next((text for fits, text in causes if fits), f"{_reason(root)}: check bitcoin.rpc")


def _is_closed(error: Exception, root: BaseException) -> bool:
    """Whether the other side closed the connection before it said anything."""
    is_end_of_stream = isinstance(error, httpcore2.NetworkError) and not isinstance(root, OSError)
    return is_end_of_stream or isinstance(root, (ConnectionError, httpcore2.RemoteProtocolError))


def _root(error: BaseException) -> BaseException:
    """What happened first: httpcore2 wraps an error as the only argument of its own, anyio as its cause."""
    while True:
        inner = error.__cause__ or next(iter(error.args), None)
        if isinstance(error, ExceptionGroup):  # one for each address of the host
            inner = error.exceptions[0]
        if not isinstance(inner, Exception):  # a timeout comes from a CancelledError, and says more
            return error
        error = inner


def _reason(error: BaseException) -> str:
    """The error's own text, without the addresses of objects and the places in C that Python adds."""
    if isinstance(error, ssl.SSLError) and getattr(error, "reason", None):
        return str(error.reason).replace("_", " ").lower()
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = str(error) or type(error).__name__
    return " ".join(text.split())[:_SHOWN]
