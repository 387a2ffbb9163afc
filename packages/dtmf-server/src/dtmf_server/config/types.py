"""Types of settings that are shared by several sections."""

import re
from typing import Annotated

from msgspec import Meta

from dtmf_server.config.section import setting

Host = Annotated[str, setting("a host name or IP address", re.compile(r"[0-9A-Za-z.:_%-]+\Z").match)]
Port = Annotated[int, Meta(ge=1, le=65535, description="a port from 1 to 65535")]
YesNo = Annotated[bool, Meta(description="true or false")]
