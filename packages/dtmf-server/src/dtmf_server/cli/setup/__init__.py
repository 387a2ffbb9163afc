"""`dtmf-server init`: sets up a service, or adds a carrier to one."""
