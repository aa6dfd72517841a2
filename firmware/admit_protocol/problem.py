"""Concise problem details, the payload of our error responses: RFC 9290, content format 257.

Owns the map's keys. It carries what an error already says to anyone (reason, detail); whether this peer may know more,
such as the rule behind a denial, is decided by who fills `extra`.
"""

from . import cbor, coap
from .const import const
from .errors import LocalError

TITLE = const(-1)  # str, the reason
DETAIL = const(-2)  # str, for people

CODE = const(1)  # int, the error's number in docs/SPEC.md
RULE = const(2)  # int, the rule that decided

# Custom entries are named by an absolute URI (RFC 9290 section 3.2): no shorter one says who we are.
_ENTRY = const("admit:")


def encode(error, extra=None):
    """Problem details of an AdmitError. `extra`: more for our own entry, int keys above CODE such as RULE."""
    entry = {CODE: error.code}
    for key in extra or ():
        if key <= CODE:
            raise LocalError("problem-extra")
        entry[key] = extra[key]
    problem = {TITLE: error.reason, _ENTRY: entry}
    if error.detail:
        problem[DETAIL] = error.detail
    return cbor.encode(problem)


def decode(data):
    """What we know of problem details, as one flat dict: TITLE, DETAIL, CODE, RULE, … each if it is there.

    The rest is dropped, as RFC 9290 section 3 asks. Raises Malformed: "problem-type", or cbor's own.
    """
    found = cbor.expect(cbor.decode(data), dict, "problem-type")
    problem = {}
    for key in (TITLE, DETAIL):
        if key in found:
            problem[key] = cbor.expect(found[key], str, "problem-type")
    entry = cbor.expect(found.get(_ENTRY, {}), dict, "problem-type")
    for key in entry:
        if cbor.expect(key, int, "problem-type") >= CODE:
            problem[key] = entry[key]
    if CODE in problem:
        cbor.expect(problem[CODE], int, "problem-type")
    return problem


def error_response(error, extra=None):
    """The response that tells a client of `error`: its CoAP code, and the details as payload."""
    return coap.response(error.coap, encode(error, extra), coap.CONTENT_PROBLEM)
