"""Connections to receivers, of whose replies so many octets are read and no more, whatever they are of.

Rules:
1. What counts is what comes over the wire: interim answers (1xx), headers and the sizes of chunks like the body. A flood
   of any of them would otherwise be parsed as fast as it comes, with nobody else's turn in between. Of interim answers,
   the dearest to parse, only a few are read.
2. A head is parsed before what came with it, and nothing is read beyond a reply: one octet too many behind it does not
   take its status away.
3. A body that is cut off ends there, as if its receiver had ended it.
"""

from functools import partial
from typing import Any

from aiohttp import ClientPayloadError, TCPConnector
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import RawResponseMessage
from aiohttp.streams import StreamReader

READ_BYTES = 64 * 1024
HEADS = 16  # the last one has to be the answer

_END_OF_HEAD = b"\r\n\r\n"


class NoAnswer(ClientPayloadError):
    """All that is read of a reply has come, and no answer was in it."""


class Connector(TCPConnector):
    """aiohttp's, of such connections."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._factory = partial(Connection, loop=self._loop)  # type: ignore[assignment]  # it is a ResponseHandler


class Connection(ResponseHandler):
    """What aiohttp parses a connection's replies with."""

    _room = 0  # octets of the reply that may still come
    _heads = 0  # of the reply so far: one, if there are no interim answers
    _is_answered = False  # by more than an interim answer
    _is_cut = False

    def set_response_params(self, **params: Any) -> None:
        """A request begins."""
        self._room, self._heads, self._is_answered = READ_BYTES, 0, False
        super().set_response_params(**params)

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        """A head was parsed."""
        self._heads += 1
        self._is_answered = not 100 <= data[0].code <= 199
        super().feed_data(data, size)

    def data_received(self, data: bytes) -> None:
        """What came over the wire; nothing, when a parser that was paused may go on."""
        read, surplus = data[: self._room], data[self._room :]
        self._room -= len(read)
        while not self._is_over():
            head, end, read = (read, b"", b"") if self._is_answered else read.partition(_END_OF_HEAD)
            super().data_received(head + end)
            if not read:
                break
            if self._heads >= HEADS and not self._is_answered:
                self._cut("many interim answers came from the receiver, and no answer")
        if self._is_over():
            if read or surplus:
                self.force_close()  # it has said what nobody asked for
        elif surplus:
            self._cut(f"{READ_BYTES // 1024} KiB came from the receiver, and no answer")

    def _is_over(self) -> bool:
        """Whether nothing that comes now is of the reply any more."""
        complete = self._is_answered and self._payload is not None and self._payload.is_eof()
        return complete or self._is_cut or self.exception() is not None

    def _cut(self, reason: str) -> None:
        """Takes no more; whoever waits for an answer, or for the rest of it, need not."""
        self._is_cut = True
        self.force_close()
        if self.transport is not None:
            self.transport.pause_reading()
        if self._is_answered and self._payload is not None:
            self._payload.feed_eof()
        else:
            self.set_exception(NoAnswer(reason))
