"""The schemas of the sign-up's responses."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from dtmf_server.api.schemas.responses import Time


class NewAccountAnswer(Struct):
    """The token of a new account, shown only once."""

    token: str


class SignUpProblem(Struct, kw_only=True):
    """A problem document with the invoice that opens an account. `claim`: the secret that claims the account, only in the
    first answer."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    invoice: Annotated[str, Meta(description="BOLT 11")]
    payment_hash: str
    amount: Annotated[int, Meta(description="satoshis")]
    expires_at: Time
    claim: str | UnsetType = UNSET
