"""Two ends of an OSCORE context, and messages for them: for the tests of OSCORE, on both runtimes."""

from admit_protocol import ccm, coap, oscore, oscore_client, oscore_option, oscore_preshared

SECRET = bytes(range(16))
SALT = b"salt"
CLIENT, SERVER = b"\x17", b"\x2a"


class Suite:
    """What a context asks of a suite."""

    encrypt = staticmethod(ccm.encrypt)
    decrypt = staticmethod(ccm.decrypt)

    def __init__(self):
        self.drawn = 0

    def random(self, length):
        self.drawn += 1
        return bytes([self.drawn]) * length


def contexts(**preshared):
    """Client and server of one security context; the server's is a preshared one if more is said of it."""
    client = oscore_client.ClientContext(Suite(), SECRET, SALT, CLIENT, SERVER)
    server = oscore_preshared.PresharedContext if preshared else oscore.Context
    return client, server(Suite(), SECRET, SALT, SERVER, CLIENT, **preshared)


def get(path="/r", options=(), token=b"\x01"):
    message = coap.request(coap.GET, path, options=options)
    message.token = token
    return message


def content(payload=b"yes", options=()):
    return coap.response(coap.CONTENT, payload, options=options)


def forged(message):
    """`message` with its last bit changed."""
    twin = message.copy()
    twin.payload = message.payload[:-1] + bytes([message.payload[-1] ^ 1])
    return twin


def partial_iv(message):
    return oscore_option.parse_option(message.option(coap.OSCORE))[0]


def same(one, other):
    return (one.code, one.token, one.options, one.payload) == (other.code, other.token, other.options, other.payload)
