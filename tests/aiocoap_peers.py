"""A user and a kiosk that aiocoap's EDHOC knows: method 3, suite 2, raw keys in CCS. Made anew for each run."""

import cbor2
from aiocoap.edhoc import CoseKeyForEdhoc

USER, KIOSK = CoseKeyForEdhoc.generate(), CoseKeyForEdhoc.generate()
USER_CCS, KIOSK_CCS = USER.as_ccs(b"\x2b", "user"), KIOSK.as_ccs(b"\x05", "kiosk")


def encoded(ccs):
    """The bytes that are hashed and sent of a CCS."""
    return cbor2.dumps(ccs[14], canonical=True)


# Of the kiosk, whose test identity it is.
IDENTITY = {
    "methods": [3],
    "key": KIOSK.d.hex(),
    "credential": encoded(KIOSK_CCS).hex(),
    "peers": [{"ccs": encoded(USER_CCS).hex(), "rules": [["/r/open", 3]]}],
}


def introduces_itself(client, resources, style="by-key-id", key=USER, own=USER_CCS, peer=KIOSK_CCS):
    """From now on the client runs EDHOC before it asks for `resources`, a pattern of URIs."""
    pair = {"suite": 2, "method": 3, "own_cred_style": style, "own_cred": own, "peer_cred": peer}
    pair["private_key"] = key.secret_to_map()
    client.client_credentials.load_from_dict({resources: {"edhoc-oscore": pair}})
