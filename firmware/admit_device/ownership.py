"""/ownership: the device goes from one site to the next, by a chain of vouchers. Loaded for that alone.

POST proves the chain and makes the key that the device will have; PUT brings the next site's credential for that key.
Up to one write of the key store the device is the old site's, from it on the new one's, with nothing of the old one but
the receipt: wiping.py. Nobody needs a grant of the old site for it, but each step comes from a holder of the new one's.
"""

from admit_device.commissioning import check_time, contribution_in, mixed_secret, take_time
from admit_device.device import guarded
from admit_device.identity import CREDENTIAL, HEIR, LABEL, NEXT, OLD, RECEIPT, SECRET, TEST_ONLY
from admit_device.opening import join
from admit_device.succession import fields_of, keep_chain
from admit_device.wiping import change_site, leave_site
from admit_protocol import cbor, cose, credential, grant, receipt, rule, voucher
from admit_protocol.coap import CHANGED, CONTENT, CONTENT_CBOR, GET, POST, response
from admit_protocol.const import const
from admit_protocol.errors import Busy, Conflict, Denied, Malformed, NotFound, StorageError, Untrusted

# Bodies: see docs/SPEC.md, "Resources".
_CREDENTIAL = const(1)
_CHAIN = const(2)
_GRANT = const(3)
_NOW = const(4)
_PUBLIC_KEY = const(1)
_TEST_ONLY = const(2)
_SEAL_KEY = const(3)
_RECEIPT = const(1)

_PATH = const("/ownership")
_POST_BIT = const(2)


def answer(request, device):
    """The response to GET, POST or PUT. Raises AdmitError."""
    if request.method == GET:
        return _tell_receipt(request, device)
    if device.takeover[0]:
        raise Conflict("takeover-pending", "veto it first")
    body = cbor.expect(cbor.decode(request.payload), dict, "ownership-body")
    chain, target = _proven(request.session, device, body)
    if request.method == POST:
        return _make_key(device, target.site_id, body)
    return _take_over(device, chain, target, body)


def _tell_receipt(request, device):
    """For whoever counts here."""
    decision = device.access.visit(request.session, request.method_bit, _PATH)
    if not decision.allowed:
        raise Denied(decision.reason, decision.detail)
    told = device.identity.kept(RECEIPT)
    if told is None:
        raise NotFound("receipt-none", "the device has not changed its site")
    return response(CONTENT, cbor.encode({_RECEIPT: told}), CONTENT_CBOR)


def _proven(session, device, body):
    """(the vouchers, the anchor to which they lead), once both they and who shows them are proven."""
    identity, access = device.identity, device.access
    chain = voucher.parse_chain(body.get(_CHAIN))
    asker = grant.parse(cbor.expect(body.get(_GRANT), bytes, "ownership-body"))
    used = identity.kept(RECEIPT)
    if used and receipt.parse(used).voucher == chain[0].hash:
        raise Conflict("voucher-used", "it brought the device where it is")
    target = voucher.verify_chain(chain, identity.anchor, identity.device_id, identity.key.public, device.suite)
    if access.is_damaged:
        raise Denied("policy-damaged", "the device needs a new bundle of its authority")
    voucher.check_life(chain, device.clock.moment(), access.revoked)
    _check_asker(asker, session, target, device.suite)
    return chain, target


def _check_asker(asker, session, target, suite):
    """Does this session's key hold a grant of the next owner's, which allows this without conditions?"""
    may = [one for one in asker.rules if rule.matches(one[0], _PATH) and one[1] & _POST_BIT and not one[2]]
    is_own = asker.site_id == target.site_id and asker.key == session.subject.key
    if not is_own or asker.parent or asker.enrol or not may:
        raise Denied("ownership-other-owner", "the device goes to " + target.name + ": come with a grant of its admin")
    grant.verify_issuer(asker, target.sign_public, target.site_id, suite)


def _make_key(device, site_id, body):
    """The key that the device will have at that site; the same one however often it is asked for."""
    contribution = contribution_in(body)
    if len(body) != 3:
        raise Malformed("ownership-body")
    secret = _heir(device.identity, site_id)
    if secret is None:
        secret = mixed_secret(device.suite, contribution)
        device.identity.keep({HEIR: [secret, site_id]})
    public, seal_public = _publics(device.identity, secret)
    told = {_PUBLIC_KEY: cose.encode_key(public), _SEAL_KEY: cose.encode_key(seal_public)}
    if device.ports.test_only:
        told[_TEST_ONLY] = True
    return response(CHANGED, cbor.encode(told), CONTENT_CBOR)


def _take_over(device, chain, target, body):
    """Become the next owner's, in one write."""
    data = cbor.expect(body.get(_CREDENTIAL), bytes, "ownership-body")
    now = check_time(body.get(_NOW))
    secret = _heir(device.identity, target.site_id)
    if len(body) != 4:
        raise Malformed("ownership-body")
    if secret is None:
        raise Conflict("ownership-no-key", "ask for the key first")
    if device.front.busy():
        raise Busy("routine-running", "it is of the old site: wait for its end")
    public = _check_credential(device, credential.parse(data), target, secret)
    left = _receipt(device, chain[0].hash, target.site_id, public)
    fields = fields_of(target)
    fields.update({SECRET: secret, CREDENTIAL: data, TEST_ONLY: device.ports.test_only or None})
    fields.update({LABEL: None, HEIR: None, NEXT: None, OLD: None, RECEIPT: left})
    device.ports.scrub(False)
    try:
        change_site(device.identity, device.ports.storage, fields)
    except StorageError:
        if not device.identity.ending:
            raise  # nothing has happened
    guarded(lambda: keep_chain(device.ports.storage, target))
    _begin_anew(device, now)
    return response(CHANGED)


def _check_credential(device, given, target, secret):
    """The key in the credential, once that is the next owner's for the key that was made."""
    credential.verify(given, target, device.suite)
    if (given.public, given.seal_public) != _publics(device.identity, secret):
        raise Untrusted("identity-other-key", "this credential names another device's key")
    if device.ports.test_only and not given.test_only:
        raise Untrusted("identity-test-only", "this key was made without a hardware source; its credential must say so")
    return given.public


def _receipt(device, first_hash, to_site, public):
    """The last that the old key signs."""
    identity, journal = device.identity, device.journal
    journal.kept()  # or nobody knows what it had told
    return receipt.sign(
        identity.key,
        identity.anchor.site_id,
        identity.device_id,
        first_hash,
        to_site,
        public,
        journal.count,
        journal.head,
        device.boots,
        device.clock.now(),
    )


def _begin_anew(device, now):
    """Everybody's session, turn and whatever else RAM holds of the old site goes; the new one is served. What storage
    still holds of the old one, if it refuses, goes at a new start, before which nobody is served.
    """
    leave_site(device)
    if device.identity.ending or guarded(lambda: join(device)) is False:
        device.after_answer(lambda: device.ports.restart(False))
    else:
        take_time(device.clock, now)


def _heir(identity, site_id):
    """The secret that was made for that site, or None."""
    secret, made_for = identity.kept(HEIR) or (None, None)
    return secret if made_for == site_id else None


def _publics(identity, secret):
    return identity.suite.private_key(secret).public, identity.seal_key_of(secret).public
