"""The host's library: authority, registry, client and transports. The protocol itself is in `admit_protocol`."""
