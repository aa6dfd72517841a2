"""Numbers of CoAP that only clients name: codes, options and content formats. RFC 7252 section 12, IANA's registries.

What a device names as well is in `coap`: each name that it does not keep saves it heap.
"""

from .const import const

PATCH = const(0x06)
IPATCH = const(0x07)

UNAUTHORIZED = const(0x81)
BAD_OPTION = const(0x82)
FORBIDDEN = const(0x83)
NOT_FOUND = const(0x84)
METHOD_NOT_ALLOWED = const(0x85)
REQUEST_ENTITY_INCOMPLETE = const(0x88)
CONFLICT = const(0x89)
REQUEST_ENTITY_TOO_LARGE = const(0x8D)
INTERNAL_SERVER_ERROR = const(0xA0)
BAD_GATEWAY = const(0xA2)
SERVICE_UNAVAILABLE = const(0xA3)
GATEWAY_TIMEOUT = const(0xA4)
PROXYING_NOT_SUPPORTED = const(0xA5)

IF_MATCH = const(1)
IF_NONE_MATCH = const(5)
MAX_AGE = const(14)
ECHO = const(252)
NO_RESPONSE = const(258)
REQUEST_TAG = const(292)

CONTENT_CID_EDHOC = const(65)
