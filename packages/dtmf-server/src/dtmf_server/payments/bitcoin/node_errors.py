"""Why a Bitcoin node did not answer, and which setting to change. Pure.

Status codes: Bitcoin Core, src/httpserver.cpp and src/httprpc.cpp.
"""

import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import httpcore2

_SHOWN = 80  # characters of an unexpected body
_TIMEOUTS = (TimeoutError, httpcore2.TimeoutException)
_STATUSES = {
    401: "rejects the user name or password (HTTP 401): check bitcoin.rpc, and rpcauth in the node's bitcoin.conf; with a cookie"
    " file, bitcoin.rpc_cookie must be the file that this node writes",
    403: "refuses calls from this machine, or this call for this user (HTTP 403): check rpcallowip, rpcbind and"
    " rpcwhitelist in the node's bitcoin.conf",
    404: "does not have this path (HTTP 404): bitcoin.rpc must end after the port, or with the path that your proxy forwards to"
    " the node",
    405: "does not accept POST (HTTP 405), so it is not Bitcoin Core's RPC: check host and port in bitcoin.rpc",
    407: "is a proxy that requires a password (HTTP 407): bitcoin.rpc must point to the node itself",
    413: "refuses a call of this size (HTTP 413): raise the limit of the proxy in front of the node",
    429: "rate-limits calls (HTTP 429): raise the rate limit of the proxy in front of the node, or"
    " bitcoin.poll_seconds",
    500: "failed to execute a call (HTTP 500): see the node's debug.log",
    502: "cannot be reached by the proxy in front of it (HTTP 502): check that the node is running",
    503: "is busy, its work queue is full (HTTP 503): the call is retried; if this persists, raise rpcworkqueue and rpcthreads in"
    " the node's bitcoin.conf",
    504: "did not answer the proxy in front of it in time (HTTP 504): raise the timeout of the proxy",
}


def no_node(url: str) -> str:
    """Describe a server that answers, but not like a node."""
    return f"{url} does not answer like Bitcoin Core: check host and port in bitcoin.rpc"


def no_cookie(url: str, path: Path, reason: str) -> str:
    """Describe a cookie file that cannot be read."""
    return (
        f"the cookie file {path} of the node at {url} cannot be read ({reason}): check bitcoin.rpc_cookie, that the node"
        " is running, and rpccookieperms in its bitcoin.conf"
    )


def of_status(url: str, status: int, body: bytes) -> str:
    """Describe an answer with that status and an unexpected body."""
    if status in _STATUSES:
        return f"the node at {url} {_STATUSES[status]}"
    if 300 <= status < 400:
        return (
            f"{url} redirects elsewhere (HTTP {status}), which Bitcoin Core never does: check scheme, host and port in"
            " bitcoin.rpc"
        )
    said = " ".join(body[:_SHOWN].decode("utf-8", "replace").split())
    if status == 200:
        return f"{no_node(url)} (it answered {said!r})" if said else f"{no_node(url)} (its answer is empty)"
    return f"the node at {url} answered HTTP {status} and {said!r}: check bitcoin.rpc, and the node's debug.log"


def too_long(url: str, bytes_max: int) -> str:
    """Describe an answer that is larger than any answer of a node."""
    return f"{no_node(url)} (its answer is larger than {bytes_max:,} bytes)"


def of_connection(url: str, error: Exception, *, timeout_s: float, has_begun: bool) -> str:
    """Describe why a call got no answer, or, if `has_begun`, only part of one."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    if has_begun and not isinstance(_root(error), _TIMEOUTS):
        cause = f"{host}:{port} closed the connection during the answer: the node may have stopped"
    else:
        cause = _cause(error, host, port, parts.scheme, timeout_s)
    return f"the node at {url} does not answer: {cause}"


def _cause(error: Exception, host: str, port: int, scheme: str, timeout_s: float) -> str:
    root = _root(error)
    here = f"{host}:{port}"
    https = "" if scheme == "https" else ", or begin with https:// if the port has TLS"
    causes: list[tuple[bool, str]] = [  # the first match counts
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
            f"no answer within {timeout_s:g} s: check host and port in bitcoin.rpc, firewalls, and the node's load",
        ),
        (
            isinstance(root, ConnectionRefusedError),
            f"nothing listens on {here} (connection refused): check that the node runs with server=1, and bitcoin.rpc against"
            " its rpcport and rpcbind",
        ),
        (
            _is_closed(error, root),
            f"{here} closed the connection without an answer: the node may have stopped; otherwise bitcoin.rpc must name its RPC"
            f" port, not its P2P port{https}",
        ),
        (
            isinstance(error, (httpcore2.ProtocolError, ValueError)),
            f"what {here} sends is not HTTP ({_reason(root)}): bitcoin.rpc must name the node's RPC port{https}",
        ),
    ]
    return next((text for fits, text in causes if fits), f"{_reason(root)}: check bitcoin.rpc")


def _is_closed(error: Exception, root: BaseException) -> bool:
    """Return True if the peer closed the connection before it sent anything."""
    is_end_of_stream = isinstance(error, httpcore2.NetworkError) and not isinstance(root, OSError)
    return is_end_of_stream or isinstance(root, (ConnectionError, httpcore2.RemoteProtocolError))


def _root(error: BaseException) -> BaseException:
    """Return the root cause: httpcore2 wraps an error as its only argument, anyio as its cause."""
    while True:
        inner = error.__cause__ or next(iter(error.args), None)
        if isinstance(error, ExceptionGroup):  # one per address of the host
            inner = error.exceptions[0]
        if not isinstance(inner, Exception):  # a timeout is caused by a CancelledError, which says less
            return error
        error = inner


def _reason(error: BaseException) -> str:
    """Return the error's own text, without the object addresses and C source locations that Python adds."""
    if isinstance(error, ssl.SSLError) and getattr(error, "reason", None):
        return str(error.reason).replace("_", " ").lower()
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = str(error) or type(error).__name__
    return " ".join(text.split())[:_SHOWN]
