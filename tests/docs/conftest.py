"""The built site, for the tests of this folder."""

from support.site import site

__all__ = ["site"]
