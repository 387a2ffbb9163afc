"""The trusted certificates: SSL_CERT_FILE, else SSL_CERT_DIR, else those of the system.

An invalid value is rejected before anything is sent, and the message names the variable."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import httpcore2

from .e164 import quote
from .errors import ConnectionFailedError, connection_failed, environment_failed


def trust_variable() -> str:
    """Return the environment variable that sets the trusted certificates, empty if none does."""
    return next((name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(name)), "")


def tls_context(base_url: str, ca: str | None = None) -> ssl.SSLContext:
    """Return the TLS context for an address, which trusts the certificates in the file `ca` or else the system's.
    Raises ConnectionFailedError if it can't be created."""
    if ca is not None:
        if reason := _why_not(ca):
            raise environment_failed(base_url, "ca=", f"{quote(ca)} {reason}")
        return ssl.create_default_context(cafile=ca)
    variable = trust_variable()
    if variable == "SSL_CERT_DIR":
        _check_folders(base_url, os.environ[variable])
    try:
        return httpcore2.default_ssl_context()
    except (OSError, ValueError) as cause:  # ssl.SSLError is an OSError
        raise _refused(base_url, variable, cause) from cause


def _check_folders(base_url: str, value: str) -> None:
    """Check that a folder exists. OpenSSL ignores missing folders, and would then reject every certificate."""
    if not any(Path(folder).is_dir() for folder in value.split(os.pathsep) if folder):
        raise environment_failed(base_url, "SSL_CERT_DIR", f"{quote(value)} is not a folder")


def _refused(base_url: str, variable: str, cause: Exception) -> ConnectionFailedError:
    if variable == "SSL_CERT_FILE" and (reason := _why_not(os.environ[variable])):
        return environment_failed(base_url, variable, f"{quote(os.environ[variable])} {reason}")
    # The certificates are readable, so the cause is the key log, which is opened with them, or OpenSSL's configuration.
    for other in ("SSLKEYLOGFILE", "OPENSSL_CONF"):
        if os.environ.get(other) and (variable or other == "OPENSSL_CONF"):
            return environment_failed(base_url, other, f"{quote(os.environ[other])}: {_words(cause)}")
    return connection_failed(base_url, f"TLS cannot be set up: {_words(cause)}", permanent=True)


def _why_not(file: str) -> str:
    """Return why certificates can't be read from the file, empty if they can."""
    try:
        with Path(file).open("rb"):
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=file)
    except ssl.SSLError:
        return "has no certificates in PEM format"
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    return ""


def _words(cause: Exception) -> str:
    return str(getattr(cause, "strerror", None) or cause)
