"""The sealed label: over the air, a factory device takes its site from whoever knows the secret printed on it.

The secret comes over the cable and is kept beside the device key, with a count of wrong proofs; it dies in the very
write that makes the device a site's. Who asks GET /id gets a challenge for their link; an OSCORE request whose context
is made of the secret, that challenge and the host's own randomness proves the host, and its answer the device. A
challenge is spent by its first use. Loaded for that alone.

Wrong proofs are counted before they are checked, five and then with a doubling delay. Only who knows the label's kid
can make one: a passer-by cannot, and so locks nobody out.
"""

from admit_device.attempts import delay_ms
from admit_device.identity import LABEL
from admit_device.sessions import Session
from admit_protocol import kdf, label, oscore, oscore_option
from admit_protocol.errors import Busy, Unauthenticated


def seal(identity, secret):
    """Keep the secret of a new label (16 bytes); what an earlier label said no longer counts."""
    identity.keep({LABEL: [secret, 0]})


def unprotect(link, outer, identity, clock):
    """(session, inner request, reference for the response) of an OSCORE request to a factory device.

    Raises Unauthenticated("oscore-no-context") for whoever does not know the label or has no live challenge,
    Busy("sealed-wait") after too many wrong proofs, Unverified("ccm-tag") for one, and those of `oscore.Context`.
    """
    _, kid, id_context = oscore_option.option_of(outer)
    own_kid = label.host_id(identity.label[0])  # of the present label: whoever proved an earlier one is out
    if not kdf.constant_time_equal(kid or b"", own_kid):
        raise Unauthenticated("oscore-no-context")
    session = link.sealed
    if session is None or id_context not in (None, session.context.id_context):
        return _prove(link, outer, identity, clock, id_context)
    return (session,) + session.context.unprotect_request(outer)


def _prove(link, outer, identity, clock, id_context):
    """Make the context that the first request of a host asks for, and believe it if that request verifies."""
    challenge, link.challenge = link.challenge, None
    if challenge is None or id_context is None or len(id_context) != 2 * len(challenge):
        raise Unauthenticated("oscore-no-context")
    if id_context[: len(challenge)] != challenge:
        raise Unauthenticated("oscore-no-context")
    secret, wrong = identity.label
    keys = label.master_secret(secret), b"", b"", label.host_id(secret), id_context
    context = oscore.Context(identity.suite, *keys)
    inner, reference = _attempt(identity, clock, secret, wrong, lambda: context.unprotect_request(outer))
    link.sealed = Session(context, None, clock.monotonic_ms())
    link.proven = True
    return link.sealed, inner, reference


def _attempt(identity, clock, secret, wrong, check):
    """What `check` returns; that it was tried is stored before, and forgotten only if it succeeded."""
    waited_ms = clock.monotonic_ms() - identity.label_failed_ms
    left_ms = delay_ms(wrong) - waited_ms
    if left_ms > 0:
        raise Busy("sealed-wait", "%d s" % (left_ms // 1000 + 1))
    identity.label_failed_ms = clock.monotonic_ms()
    identity.keep({LABEL: [secret, wrong + 1]})
    result = check()
    identity.keep({LABEL: [secret, 0]})
    return result
