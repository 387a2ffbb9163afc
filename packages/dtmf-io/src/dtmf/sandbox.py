"""Calls that only a sandbox has, for both clients: `dtmf.sandbox`."""

from __future__ import annotations

from . import endpoints

TYPE_CHECKING = False  # a name type checkers know; saves importing `typing`
if TYPE_CHECKING:
    from typing import Literal

    from .async_client import AsyncDTMF
    from .client import DTMF
    from .types import Clock, Deposit, FullMessage, Invoice, SandboxClock, SentMessage


class Sandbox:
    """Sandbox-only calls. On any other service, each raises NotFoundError."""

    def __init__(self, client: DTMF) -> None:
        self._perform = client._perform

    def receive(self, e164: str, sender: str, content: str) -> FullMessage:
        """Simulate an SMS to a rented number. Returns the stored message."""
        return self._perform(endpoints.sandbox_receive(e164, sender, content))

    def deposit(self, address: str, amount: int, confirmations: int | None = None) -> Deposit:
        """Simulate a payment of `amount` satoshis, with `confirmations` or, by default, enough to be credited."""
        return self._perform(endpoints.sandbox_deposit(address, amount, confirmations))

    def pay(
        self,
        invoice: Invoice | str,
        amount: int | None = None,
        *,
        fault: Literal["late", "twice", "unreported"] | None = None,
    ) -> Invoice:
        """Simulate the payment of a Lightning invoice. `fault`: although it has expired, reported twice, or found only by a
        look-up."""
        return self._perform(endpoints.sandbox_pay(invoice, amount, fault))

    def advance(self, seconds: float) -> Clock:
        """Advance the sandbox's clock, run everything due by then, and return the new time."""
        return self._perform(endpoints.sandbox_advance(seconds))

    def clock(self) -> SandboxClock:
        """The sandbox's time, and how far `advance` has put it ahead of the real time."""
        return self._perform(endpoints.sandbox_clock())

    def sent(self) -> list[SentMessage]:
        """List the messages sent to other phones."""
        return self._perform(endpoints.sandbox_sent())


class AsyncSandbox:
    """Sandbox-only calls. On any other service, each raises NotFoundError."""

    def __init__(self, client: AsyncDTMF) -> None:
        self._perform = client._perform

    async def receive(self, e164: str, sender: str, content: str) -> FullMessage:
        """Simulate an SMS to a rented number. Returns the stored message."""
        return await self._perform(endpoints.sandbox_receive(e164, sender, content))

    async def deposit(self, address: str, amount: int, confirmations: int | None = None) -> Deposit:
        """Simulate a payment of `amount` satoshis, with `confirmations` or, by default, enough to be credited."""
        return await self._perform(endpoints.sandbox_deposit(address, amount, confirmations))

    async def pay(
        self,
        invoice: Invoice | str,
        amount: int | None = None,
        *,
        fault: Literal["late", "twice", "unreported"] | None = None,
    ) -> Invoice:
        """See Sandbox."""
        return await self._perform(endpoints.sandbox_pay(invoice, amount, fault))

    async def advance(self, seconds: float) -> Clock:
        """Advance the sandbox's clock, run everything due by then, and return the new time."""
        return await self._perform(endpoints.sandbox_advance(seconds))

    async def clock(self) -> SandboxClock:
        """The sandbox's time, and how far `advance` has put it ahead of the real time."""
        return await self._perform(endpoints.sandbox_clock())

    async def sent(self) -> list[SentMessage]:
        """List the messages sent to other phones."""
        return await self._perform(endpoints.sandbox_sent())
