"""The JSON API. Converts between HTTP and operations; field names are part of the published contract."""
