"""The one tree of errors, and the one place where they become CoAP and EDHOC codes.

`LocalError`: our own caller or machine is at fault. `RemoteError`: the peer, or a file, sent something wrong.
`reason` is a stable word that tests, logs and foreign programs may rely on ("cbor-truncated"); the text beside it is
for people. Neither ever carries a secret.
"""


class AdmitError(Exception):
    """Base of every error that admit raises on purpose. `code` is its number on the wire (docs/SPEC.md)."""

    code = 0
    coap = 0xA0  # 5.00 Internal Server Error
    edhoc = 1  # unspecified error, RFC 9528 section 6

    def __init__(self, reason, detail=""):
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self):
        return self.reason + (": " + self.detail if self.detail else "")


class LocalError(AdmitError):
    """Our caller misused us, or our own machine failed."""

    code = 1


class StorageError(LocalError):
    """Storage is full, read-only or damaged: nothing was written."""

    code = 2


class EntropyError(LocalError):
    """The source of randomness is stuck or not live: no key is made from it."""

    code = 3


class RemoteError(AdmitError):
    """The peer, or a file, sent something wrong."""

    code = 16
    coap = 0x80  # 4.00 Bad Request


class Malformed(RemoteError):
    """The bytes do not parse."""

    code = 17


class Unsupported(RemoteError):
    """The bytes parse, but ask for something that we do not speak: a method, a suite, a critical option or EAD."""

    code = 18
    coap = 0x82  # 4.02 Bad Option


class WrongSuite(Unsupported):
    """No EDHOC cipher suite in common. RFC 9528 section 6.3."""

    code = 19
    coap = 0x80
    edhoc = 2


class Unverified(RemoteError):
    """A signature, MAC or tag does not hold."""

    code = 20


class UnknownCredential(RemoteError):
    """The peer named a credential that we do not have. RFC 9528 section 6.4."""

    code = 21
    edhoc = 3


class Untrusted(RemoteError):
    """A genuine credential that does not count here: another site, another device, expired, early or revoked."""

    code = 22
    coap = 0x81  # 4.01 Unauthorized


class Unauthenticated(RemoteError):
    """A proven session is needed, and there is none."""

    code = 23
    coap = 0x81


class Replayed(RemoteError):
    """This message was seen before, or is older than the replay window. RFC 8613 section 7.4."""

    code = 24
    coap = 0x81


class Denied(RemoteError):
    """The rules do not allow it. `rule`: index, in the subject's grant, of the rule that decided, or None."""

    code = 25
    coap = 0x83  # 4.03 Forbidden

    def __init__(self, reason, detail="", rule=None):
        super().__init__(reason, detail)
        self.rule = rule


class NotFound(RemoteError):
    """No such resource, routine or record."""

    code = 26
    coap = 0x84  # 4.04 Not Found


class MethodNotAllowed(RemoteError):
    """The resource exists, but not with this method."""

    code = 27
    coap = 0x85  # 4.05


class Conflict(RemoteError):
    """It is already so, differently: the state changed underneath, or somebody else holds it."""

    code = 28
    coap = 0x89  # 4.09 Conflict


class TooLarge(RemoteError):
    """A message or body is over its limit."""

    code = 29
    coap = 0x8D  # 4.13 Request Entity Too Large


class Incomplete(RemoteError):
    """Blocks are missing from a body. RFC 7959 section 2.9.2."""

    code = 30
    coap = 0x88  # 4.08


class Busy(RemoteError):
    """Not now: every place is taken. Try again."""

    code = 31
    coap = 0xA3  # 5.03 Service Unavailable


class TimedOut(RemoteError):
    """The peer did not answer in time."""

    code = 32
    coap = 0xA4  # 5.04


class Refused(RemoteError):
    """The peer answered with an error of its own; `status` is its CoAP code."""

    code = 33

    def __init__(self, reason, detail="", status=0, problem=None):
        super().__init__(reason, detail)
        self.status = status
        self.problem = problem or {}
