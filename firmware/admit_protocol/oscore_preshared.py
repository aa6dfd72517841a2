"""OSCORE contexts whose secret was shared beforehand, and which therefore outlive a reset. RFC 8613 appendix B.1.

Owns: sequence numbers that are spent before they are used, and the proof that a request is younger than our start.
admit itself derives a new secret at each visit; this is for strangers that do not.
"""

from . import coap, coap_numbers
from .const import const
from .errors import LocalError, Replayed
from .kdf import constant_time_equal
from .oscore import WINDOW, ReplayWindow
from .oscore_client import ClientContext

RESERVED = const(64)  # sequence numbers that a store sets aside at a time


class PresharedContext(ClientContext):
    """A context of a secret that was used before.

    `store`: its `reserve()` stores for good that the next RESERVED sequence numbers are spent, and returns the first
    of them (appendix B.1.1). `needs_echo`: true after each start, so that no old request is taken for a new one
    (appendix B.1.2).
    """

    def __init__(
        self, suite, master_secret, master_salt, sender_id, recipient_id, id_context=None, store=None, needs_echo=False
    ):
        super().__init__(suite, master_secret, master_salt, sender_id, recipient_id, id_context)
        self._store = store
        self._reserved_end = 0
        self._echo = suite.random(8) if needs_echo else None

    def unprotect_request(self, outer):
        """As in `Context`, and Replayed("oscore-echo"), whose `.response` is to be sent: a message that verified, but
        might be old.
        """
        inner, ref = super().unprotect_request(outer)
        if self._echo is not None:
            self._check_echo(inner, ref)
        return inner, ref

    def _mark(self, number):
        if self._echo is None:
            super()._mark(number)

    def _next_partial_iv(self):
        if self._store is not None and self.sequence >= self._reserved_end:
            start = self._store.reserve()
            if start < self.sequence:
                raise LocalError("oscore-store", "went backwards")
            self.sequence = start
            self._reserved_end = start + RESERVED
        return super()._next_partial_iv()

    def _check_echo(self, inner, ref):
        """Accept the first request that proves to be younger than our start; challenge any other."""
        if constant_time_equal(inner.option(coap_numbers.ECHO) or b"", self._echo):
            # The first of a new life: nothing up to it is ever new again.
            self._window = ReplayWindow(int.from_bytes(ref.partial_iv, "big"), (1 << WINDOW) - 1)
            self._echo = None
            return
        challenge = coap.response(coap_numbers.UNAUTHORIZED, options=((coap_numbers.ECHO, self._echo),))
        challenge.token = inner.token
        error = Replayed("oscore-echo", "send it again with the Echo option of the answer")
        error.response = self.protect_response(challenge, ref, observe=True)
        raise error
