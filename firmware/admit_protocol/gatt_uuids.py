"""CoAP over GATT (draft-ietf-core-coap-over-gatt-00 section 3) as far as whoever opens the service must know it."""

from .const import const

SERVICE = "8df804b7-3300-496d-9dfa-f8fb40a236bc"
DOWNSTREAM = "8bf52767-5625-43ca-a678-70883a366866"  # the client writes, with response
UPSTREAM = "ab3720c8-7fc0-41f8-aa2a-9a45c2c01a4b"  # the server indicates

MIN_MTU = const(128)  # of ATT; with less, a link is not served
