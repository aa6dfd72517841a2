"""What the small signed papers have in common: a COSE_Sign1 over a map whose keys are 1, 2, 3, and so on.

Owns: that form, and the checks that all of them need. bundle, time_answer, approval, enrolment, notice, receipt and
wipe say what stands in each.
Rules: every field is there, and no other; one encoding of each paper counts (cose.check_form).
Must not know: what a paper says, and who may sign it.
"""

from . import cose
from .cbor import decode, encode, expect
from .errors import Malformed, Untrusted


def sign(key, label, values):
    """The paper, bytes, that says `values`, signed as `label`."""
    return cose.sign1(key, encode({number: value for number, value in enumerate(values, 1)}), label)


def read(data, kinds, reason):
    """The values in a paper not yet verified, and behind them its cose.Sign1: a list.

    `kinds`, one for each value: a type or a tuple of types, as for cbor.expect; `int` means one of at least 0; a number
    means that many bytes. Raises Malformed cbor-…, cose-… or `reason`; Unsupported cose-….
    """
    sign1 = cose.parse_sign1(data)
    cose.check_form(sign1)
    fields = expect(decode(sign1.payload), dict, reason)
    if len(fields) != len(kinds):
        raise Malformed(reason)
    values = []
    for kind in kinds:
        value = fields.get(len(values) + 1, False)  # False, which no kind is, where there is none
        is_number = type(kind) is int
        expect(value, bytes if is_number else kind, reason)
        if len(value) != kind if is_number else kind is int and value < 0:
            raise Malformed(reason)
        values.append(value)
    return values + [sign1]


def check_order(items, reason):
    """Raises Malformed(reason) unless each of `items` is greater than the one before it."""
    last = None
    for item in items:
        if last is not None and item <= last:
            raise Malformed(reason)
        last = item


def verify(paper, label, public, site_id, device_id, suite):
    """Returns if `public` (64 bytes) signed the paper as `label`, for this site, and for this device if it names one.

    Raises Untrusted paper-other-site or paper-other-device, Unverified cose-signature.
    """
    if paper.site_id != site_id:
        raise Untrusted("paper-other-site")
    cose.verify_sign1(paper.sign1, public, label, suite)
    if device_id is not None and paper.device_id != device_id:
        raise Untrusted("paper-other-device")
