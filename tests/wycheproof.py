"""Holds a suite against Wycheproof's P-256 files, verdict by verdict, on either runtime.

The files are large and not ours, so they are read from ../shared/vectors beside the repository; where that is missing
there is nothing to check, and each function says so and returns None. Otherwise it returns the number of verdicts.
"""

from admit_protocol.errors import Malformed
from support import shared_vectors


def check_ecdsa(suite):
    """Every signature of the file is accepted or refused as the file says."""
    found = _read("ecdsa_secp256r1_sha256_p1363_test.json")
    if found is None:
        return None
    checked = 0
    for group in found["testGroups"]:
        public = bytes.fromhex(group["publicKey"]["uncompressed"])
        assert len(public) == 65 and public[0] == 4
        for case in group["tests"]:
            message, signature = bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"])
            verdict = "valid" if suite.verify(public[1:], message, signature) else "invalid"
            assert verdict == case["result"], (case["tcId"], case["comment"])
            checked += 1
    assert checked == found["numberOfTests"]
    return checked


def check_ecdh(suite):
    """Every shared secret of the file comes out, and every wrong point is refused.

    The one "acceptable" case is a compressed point: we take x alone, as EDHOC sends it, so for us it is valid.
    """
    found = _read("ecdh_secp256r1_ecpoint_test.json")
    if found is None:
        return None
    checked = 0
    for group in found["testGroups"]:
        for case in group["tests"]:
            secret = int(case["private"], 16).to_bytes(32, "big")
            shared = _shared_secret(suite.private_key(secret), bytes.fromhex(case["public"]))
            expected = None if case["result"] == "invalid" else bytes.fromhex(case["shared"])
            assert shared == expected, (case["tcId"], case["comment"])
            checked += 1
    assert checked == found["numberOfTests"]
    return checked


def _shared_secret(key, encoded):
    """The product with a point in SEC 1's encoding, or None if it is refused.

    Its prefix is the test's to check, ours are points without one. What 02 and 03 say of y makes no difference here.
    """
    lengths = {2: 33, 3: 33, 4: 65}
    if not encoded or lengths.get(encoded[0]) != len(encoded):
        return None
    try:
        return key.shared_secret(encoded[1:])
    except Malformed as error:
        assert error.reason == "p256-point"
        return None


def _read(name):
    found = shared_vectors("wycheproof/" + name)
    if found is None:
        print("nothing checked: there is no ../shared/vectors/wycheproof/" + name)
    return found
