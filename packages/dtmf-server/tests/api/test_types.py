"""The client's types say what the service sends: the same keys in the same order, None where null may be."""

from types import NoneType
from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from dtmf import types
from dtmf_server.api.schemas import responses

SHAPES = [name for name in vars(types) if hasattr(vars(types)[name], "__required_keys__") and hasattr(responses, name)]
# A number's messages are of the rental that runs, and texts are erased after one has ended.
NEVER_NULL = {("Message", "content")}


def test_there_are_shapes_to_compare() -> None:
    assert {"Account", "Address", "Group", "Number", "Message", "FullMessage", "Transaction"} <= set(SHAPES)


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_is_typed_as_it_is_sent(name: str) -> None:
    typed = {key: NoneType in get_args(kind) for key, kind in get_type_hints(vars(types)[name]).items()}
    sent = {field.encode_name: _may_be_null(field.type) for field in msgspec.structs.fields(getattr(responses, name))}
    sent |= {key: False for shape, key in NEVER_NULL if shape == name}
    assert list(typed.items()) == list(sent.items())


def _may_be_null(kind: Any) -> bool:
    found = msgspec.inspect.type_info(kind)
    while isinstance(found, msgspec.inspect.Metadata):
        found = found.type
    return isinstance(found, msgspec.inspect.UnionType) and found.includes_none
