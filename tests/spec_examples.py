"""The examples of docs/SPEC.md, made by the real code out of fixed keys: the same bytes on every run.

`.venv/bin/python tests/spec_examples.py` writes them into docs/SPEC.md anew, after the code that makes them has changed
on purpose. tests/test_spec.py compares them with the page and reads them back.
"""

import hashlib
import json
import re
import tempfile
import zlib
from pathlib import Path

import ecdsa

from admit import codes, invitation
from admit.suite import HostPrivateKey, HostSuite
from admit.virtual import frames
from admit_protocol import (
    anchor,
    block,
    cbor,
    coap,
    coap_numbers,
    coap_udp,
    cose,
    cose_encrypt,
    credential,
    derived_key,
    edhoc,
    edhoc_client,
    grant,
    issuing,
    journal,
    kdf,
    label,
    oscore,
    oscore_client,
    oscore_option,
    receipt,
    release,
    rotation,
    rule,
    slip,
    wipe,
)
from admit_protocol.edhoc_initiator import Initiator
from admit_protocol.edhoc_responder import Responder
from admit_protocol.gatt import GattLayer
from admit_provisioning import boards
from admit_provisioning.compile import FirmwareSet
from admit_provisioning.receiver import Receiver
from memory_ports import WEDNESDAY
from ports.virtual.storage import Storage
from rig import Phone, Rig

ROOT = Path(__file__).resolve().parent.parent
SPEC = ROOT / "docs/SPEC.md"
BLOCK = re.compile(r"^```(hex|edn|text) ([\w-]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WIDTH = 110

DEVICE_ID, SUBJECT, GRANT_ID, INVOCATION_ID = "kiosk-1", "alice", bytes(range(8)), b"\xa1" * 8
WINDOW = [31, 8 * 60, 18 * 60]  # Mon-Fri 08:00-18:00
LABEL_SECRET = bytes(range(16))
SET = FirmwareSet({"a.mpy": b"one", "b/c.mpy": b"two"}, "")
ZONE = [[WEDNESDAY - 86400, 60], [1806195600, 120]]  # UTC+1; from 2027-03-28 01:00 UTC on UTC+2
RULES = [
    ("/r/open", 3, {rule.WINDOWS: [WINDOW], rule.ZONE: ZONE, rule.BOUNDS: {"seconds": [None, 10]}}),
    ("/r/light", 3, {}),
]


class FixedKey(HostPrivateKey):
    """A private key of a name, whose signatures are those of RFC 6979 without added randomness. For examples alone."""

    def __init__(self, name):
        secret = kdf.sha256(b"admit example: " + name.encode())
        super().__init__(HostSuite().private_key(secret)._key)
        self.secret = secret
        self._signing = ecdsa.SigningKey.from_string(secret, ecdsa.NIST256p, hashlib.sha256)

    def sign(self, message):
        return self._signing.sign_deterministic(message)


class FixedSuite(HostSuite):
    """A suite whose keys and randomness are those of a name. For examples alone."""

    def __init__(self, name):
        self._name = name

    def generate(self):
        return FixedKey(self._name)

    def random(self, length):
        return kdf.sha256(b"admit example: " + self._name.encode())[:length]


AUTHORITY, ECDH, DEVICE, ALICE, ALICE_SIGNS, BOB = [
    FixedKey(name) for name in ("authority", "authority ecdh", "device", "alice", "alice signs", "bob")
]
NEXT_KEY, NEXT_AUTHORITY, NEXT_ECDH, HEIR = [
    FixedKey(name) for name in ("next device key", "next authority", "next ecdh", "heir")
]
SEAL_KEY, NEXT_SEAL = [derived_key.private_key(key.secret, b"admit:seal", HostSuite()) for key in (DEVICE, NEXT_KEY)]
ANCHOR = anchor.Anchor(AUTHORITY.public, ECDH.public, "Example Works")
CREDENTIAL = issuing.credential(
    AUTHORITY,
    ANCHOR.site_id,
    DEVICE_ID,
    DEVICE.public,
    credential.kid(DEVICE.public),
    WEDNESDAY - 3600,
    SEAL_KEY.public,
)
GRANT = issuing.grant(
    AUTHORITY,
    ANCHOR.site_id,
    GRANT_ID,
    SUBJECT,
    ["kiosk-*"],
    RULES,
    ALICE.public,
    WEDNESDAY - 1800,
    ALICE_SIGNS.public,
    expires=WEDNESDAY + 30 * 86400,
    selectors=["group:day-shift"],
    delegate=1,
)
DELEGATION = issuing.delegation(
    ALICE_SIGNS,
    grant.parse(GRANT),
    "bob",
    [DEVICE_ID],
    RULES[:1],
    BOB.public,
    WEDNESDAY - 600,
    expires=WEDNESDAY + 86400,
)
NEXT = anchor.Anchor(NEXT_AUTHORITY.public, NEXT_ECDH.public, "Next Works")
VOUCHER = issuing.voucher(AUTHORITY, 1, DEVICE_ID, DEVICE.public, ANCHOR.site_id, NEXT.encode(), None, WEDNESDAY)
EXCHANGED = ANCHOR.site_id, DEVICE_ID, DEVICE.public, NEXT_KEY.public, NEXT_SEAL.public
LOCKDOWN = [rule.LOCKDOWN, ["everyone"], ["role:security"], "*", 127, {}, "fire"]
BUNDLE = issuing.bundle(
    AUTHORITY,
    ANCHOR.site_id,
    DEVICE_ID,
    1,
    [bytes.fromhex("ffffffffffffffff")],
    WEDNESDAY,
    selectors=["user:mallory"],
    rules=[LOCKDOWN],
)
SEALED_BUNDLE = cose_encrypt.seal(FixedSuite("sealed"), SEAL_KEY.public, BUNDLE)
TIME_ANSWER = issuing.time_answer(AUTHORITY, ANCHOR.site_id, DEVICE_ID, bytes(range(8)), WEDNESDAY)
ADMINS_GRANT = issuing.grant(
    AUTHORITY,
    ANCHOR.site_id,
    b"\x01" * 8,
    "admin",
    ["*"],
    [("*", 127, {})],
    ALICE.public,
    WEDNESDAY,
    selectors=["role:security"],
)


def examples():
    """{name: bytes} of every example."""
    found = {}
    found.update(documents())
    found.update(later_life())
    found.update(releases())
    found.update(handshake())
    found.update(messages())
    found.update(bodies())
    found.update(virtual())
    found.update(boards_and_installs())
    found.update(labels())
    return found


def documents():
    """What is signed, and what those are made of."""
    first = journal.encode_record(0, WEDNESDAY, journal.COMMISSIONED, None, DEVICE_ID, journal.DONE, {})
    allowed_by = {journal.RULE: 0, journal.BY: GRANT_ID}
    second = journal.encode_record(
        1, WEDNESDAY, journal.DECISION, journal.person(ALICE.public), "POST /r/open", journal.ALLOWED, allowed_by
    )
    return {
        "cose-key": cbor.encode(cose.encode_key(DEVICE.public)),
        "anchor": ANCHOR.encode(),
        "site-id": ANCHOR.site_id,
        "device-credential": CREDENTIAL,
        "scope": grant.encode_scope(RULES),
        "scope-aif": grant.encode_scope([("/r/open", 3, {}), ("/r/light", 2, {})]),
        "grant-claims": cose.parse_sign1(GRANT).payload,
        "grant": GRANT,
        "grant-kid": grant.kid_of(GRANT),
        "delegation": DELEGATION,
        "invitation": invitation.encode(ANCHOR, GRANT),
        "bundle": BUNDLE,
        "sealed-bundle": SEALED_BUNDLE,
        "time-answer": TIME_ANSWER,
        "record-0": first,
        "record-1": second,
        "first-head": journal.first_head(DEVICE.public),
        "signed-head": journal.sign_head(
            DEVICE,
            DEVICE_ID,
            2,
            journal.chain(journal.chain(journal.first_head(DEVICE.public), first), second),
            WEDNESDAY,
        ),
    }


def later_life():
    """What is signed when a device changes its key or its site, or ends."""
    head = journal.first_head(DEVICE.public)
    joined = journal.encode_record(0, WEDNESDAY, journal.COMMISSIONED, None, DEVICE_ID, journal.DONE, {})
    wiped = 1, journal.chain(head, joined), 3, WEDNESDAY, "moved house"
    gone = DEVICE_ID, kdf.sha256(VOUCHER), NEXT.site_id, HEIR.public, 2, head, 7, WEDNESDAY
    return {
        "voucher": VOUCHER,
        "receipt": receipt.sign(DEVICE, ANCHOR.site_id, *gone),
        "rotation-by-old": rotation.sign(DEVICE, cose.ROTATION, *EXCHANGED),
        "rotation-by-new": rotation.sign(NEXT_KEY, cose.POSSESSION, *EXCHANGED),
        "wipe-certificate": wipe.sign(DEVICE, ANCHOR.site_id, DEVICE_ID, *wiped),
    }


def releases():
    """A release of SET, and what leads from it to another set."""
    rows = [row(*each) for each in sorted(SET.files.items())]
    runs_on = ["virtual"], "virtual", 6, 40000, WEDNESDAY - 600, WEDNESDAY + 90 * 86400
    return {
        "release-manifest": issuing.release(AUTHORITY, ANCHOR.site_id, "1.4.0", 7, 5, rows, *runs_on),
        "release-list": release.encode_list(rows),
        "release-delta": release.delta(rows, [rows[0], row("b/c.mpy", b"tri"), row("d.mpy", b"")], SET.hash),
    }


def row(name, content):
    return name, len(content), kdf.sha256(content)


def handshake():
    """A repeat visit: EDHOC method 2 and the first request, as GATT values."""
    suite = HostSuite()
    own = edhoc.cwt_credential(GRANT, grant.kid_of(GRANT))
    device = edhoc.cwt_credential(CREDENTIAL)
    initiator = Initiator(suite, 2, [2], ALICE, own.id_cred, own, b"\x17", FixedKey("x"))
    responder = Responder(suite, (2,), (2, 3), DEVICE, device.id_cred, device)
    client, server = GattLayer(False, 515), GattLayer(True, 515)
    found = {"message-1": initiator.message_1()}
    request = coap.request(
        coap.POST,
        "/.well-known/edhoc",
        edhoc_client.encode_prefixed(None, found["message-1"]),
        coap_numbers.CONTENT_CID_EDHOC,
    )
    asked = carry(found, "flight-1", client, server, with_token(request, 1))
    responder.parse_message_1(edhoc.split_prefixed(asked.payload)[1])
    found["message-2"] = responder.message_2(FixedKey("y"), b"\x00")
    response = coap.response(coap.CHANGED, found["message-2"], coap.CONTENT_EDHOC)
    initiator.parse_message_2(carry(found, "flight-2", server, client, with_token(response, 1)).payload)
    initiator.verify_message_2(device)
    found["message-3"] = initiator.message_3()
    secret, salt = initiator.oscore()
    context = oscore_client.ClientContext(suite, secret, salt, initiator.c_r, initiator.c_i)
    outer, reference = context.protect_request(coap.request(coap.POST, "/r/open", call_to_open(), coap.CONTENT_CBOR))
    asked = carry(
        found,
        "flight-3",
        client,
        server,
        with_token(oscore_client.combine(found["message-3"], outer), 2),
        server.confirmed,
    )
    message_3, outer = oscore_option.split_combined(asked)
    responder.parse_message_3(message_3)
    responder.verify_message_3(own)
    found["oscore-secret"], found["oscore-salt"] = responder.oscore()
    context = oscore.Context(suite, found["oscore-secret"], found["oscore-salt"], responder.c_i, responder.c_r)
    _, its_reference = context.unprotect_request(outer)
    response = coap.response(coap.CHANGED, cbor.encode({1: 1, 2: 5}), coap.CONTENT_CBOR)
    carry(found, "flight-4", server, client, with_token(context.protect_response(response, its_reference), 2))
    found["edhoc-error"] = edhoc.encode_error(3, True)
    return found


def with_token(message, number):
    message.token = bytes.fromhex("c0ffee") + bytes([number])
    return message


def carry(found, name, sender, receiver, message, before=None):
    """Send one message from layer to layer; note its value under `name`."""
    if before:
        before(0)
    sender.send(message, 0)
    found[name] = sender.outgoing(0)
    return receiver.receive(found[name], 0)[0]


def call_to_open():
    return cbor.encode({1: INVOCATION_ID, 2: {"seconds": 5}})


def messages():
    """The bytes of message layers and blocks."""
    message = coap.request(coap.GET, "/id")
    datagram = coap_udp.encode_datagram(coap_udp.CON, 0x7D34, message)
    layer = GattLayer(False, 515)
    layer.send(message, 0)
    return {
        "gatt-value": layer.outgoing(0),
        "datagram": datagram,
        "slip-frame": slip.encode_coap(datagram),
        "slip-text": slip.encode_diagnostic("hi\n"),
        "block-option": block.encode(2, True, 4),
    }


def bodies():
    """What a real device answers."""
    namespace = {}
    routines = (ROOT / "boards/virtual/routines.py").read_text(encoding="utf-8")
    exec(routines, namespace)
    rig = Rig(namespace)
    rig.keystore.write("identity", cbor.encode({1: DEVICE.secret}))
    rig.boot()
    cable = Phone(rig, server=rig.cable)
    found = {"core": cable.plain(coap.GET, "/.well-known/core").payload}
    found["id-factory"] = cable.plain(coap.GET, "/id").payload
    found["release"] = installed(cable.plain(coap.GET, "/release").payload)
    found["reset"] = cbor.encode({1: 1})
    found["identity-post"] = cbor.encode({1: kdf.sha256(b"admit example: contribution")})
    found["identity-key"] = cable.plain(coap.POST, "/identity", found["identity-post"]).payload
    found["identity-put"] = cbor.encode({1: CREDENTIAL, 2: ANCHOR.encode(), 3: WEDNESDAY})
    assert cable.plain(coap.PUT, "/identity", found["identity-put"]).code == coap.CHANGED
    rig.credential, rig.device.identity.key = CREDENTIAL, DEVICE
    alice = visitor(rig, GRANT)
    found["id"] = alice.plain(coap.GET, "/id").payload
    found["login"] = alice.request(coap.POST, "/login").payload
    found["routines"] = alice.request(coap.GET, "/r").payload
    found["routine"] = alice.request(coap.GET, "/r/open").payload
    found["invocation"] = call_to_open()
    found["outcome"] = alice.request(coap.POST, "/r/open", call_to_open()).payload
    found["denial"] = alice.request(coap.POST, "/r/open", cbor.encode({1: bytes(8), 2: {"seconds": 20}})).payload
    admin = visitor(rig, ADMINS_GRANT)
    assert admin.request(coap.POST, "/bundle", SEALED_BUNDLE).code == coap.CHANGED
    found["journal"] = admin.request(coap.GET, "/journal", query="from=2").payload
    health = cbor.decode(admin.request(coap.GET, "/health").payload)
    health["heap_free"], health["heap_low"] = 61000, 23500  # what a board has left; unknown here
    found["health"] = cbor.encode(health)
    found["health-log"] = admin.request(coap.GET, "/health", query="log=0").payload
    return found


def installed(payload):
    """As a board says it that runs a set; here nothing is installed, and the version of MicroPython is the test's."""
    return cbor.encode(cbor.decode(payload) | {2: SET.hash, 4: "1.25.0", 5: 6})


def visitor(rig, data):
    phone = Phone(rig, ALICE, data)
    phone.login()
    return phone


def virtual():
    """What only the virtual board has: radio frames and files."""
    with tempfile.TemporaryDirectory() as folder:
        storage = Storage(folder)
        storage.write("boots", cbor.encode(7))
        storage.append("journal-a", cbor.encode([0, journal.first_head(DEVICE.public)]))
        files = {name: (Path(folder) / name).read_bytes() for name in storage.names()}
    return {
        "frame-opened": frames.encode(frames.OPENED, 1, (515).to_bytes(2, "big")),
        "frame-received": frames.encode(frames.RECEIVED, 1, b"\x00"),
        "frame-confirmed": frames.encode(frames.CONFIRMED, 1),
        "frame-closed": frames.encode(frames.CLOSED, 1),
        "frame-advertise": frames.encode(frames.ADVERTISE, 0, DEVICE_ID.encode()),
        "frame-indicate": frames.encode(frames.INDICATE, 1, b"\x00"),
        "frame-disconnect": frames.encode(frames.DISCONNECT, 1),
        "file-value": files["boots"],
        "file-list": files["journal-a"],
    }


def boards_and_installs():
    """What goes onto a board's flash, and how."""
    line = Line()
    receiver = Receiver(line)
    receiver.stop()
    return {
        "board-json": boards.load("esp32_generic").config(),
        "set-hash": SET.hash,
        "install-answer": line.answer,
        "install-stop": line.sent[-1],
    }


class Line:
    """Where receiver.py meets a board that has just started on_board.py, and does as it is told."""

    def __init__(self):
        self.port, self.sent, self.received, self.turnarounds = "", [], 0, 0
        self.answer = self._heard = bytes(2) + zlib.crc32(b"", 0).to_bytes(4, "little")

    def start(self, program):
        """on_board.py's core."""

    def write(self, data):
        self.sent.append(data)

    def read(self, count, timeout_s=0):
        taken, self._heard = self._heard[:count], self._heard[count:]
        return taken

    def finish(self, timeout_s=0):
        """The program has ended."""


def labels():
    """What a label's codes hold, and what a sealed one's secret is for."""
    fingerprint = kdf.sha256(DEVICE.public)[:8]
    return {
        "label-device": codes.DeviceCode(ANCHOR.site_id, fingerprint, DEVICE_ID).text().encode(),
        "label-sealed-text": codes.sealed_text(LABEL_SECRET).encode(),
        "label-sealed": codes.sealed_content(LABEL_SECRET).encode(),
        "label-air-name": label.advertised_name(LABEL_SECRET).encode(),
        "label-master-secret": label.master_secret(LABEL_SECRET),
        "label-host-id": label.host_id(LABEL_SECRET),
    }


def in_spec():
    """[(form, name, text)] of the examples that docs/SPEC.md shows; form is hex, edn or text."""
    return BLOCK.findall(SPEC.read_text(encoding="utf-8"))


def shown(form, data):
    """How docs/SPEC.md shows an example: hexadecimal, CBOR's diagnostic notation, or plain text."""
    if form == "hex":
        return "".join(data[at : at + 32].hex() + "\n" for at in range(0, len(data), 32))
    return data.decode().replace(",<", ",\n<") + "\n" if form == "text" else _notation(cbor.decode(data)) + "\n"


def _notation(value, indent=""):
    """Extended diagnostic notation (RFC 8610 appendix G); what is too wide for a line is broken up."""
    if isinstance(value, dict):
        opening, closing, labels = "{", "}", [f"{_notation(key)}: " for key in value]
        items = list(value.values())
    elif isinstance(value, list):
        opening, closing, items, labels = "[", "]", value, [""] * len(value)
    else:
        return f"h'{value.hex()}'" if isinstance(value, bytes) else json.dumps(value)
    line = opening + ", ".join(label + _notation(item) for label, item in zip(labels, items, strict=True)) + closing
    if len(indent + line) <= WIDTH:
        return line
    deeper = indent + "  "
    lines = [deeper + label + _notation(item, deeper) + "," for label, item in zip(labels, items, strict=True)]
    return "\n".join([opening, *lines, indent + closing])


def main():
    made = examples()
    text = SPEC.read_text(encoding="utf-8")
    text = BLOCK.sub(lambda block: f"```{block[1]} {block[2]}\n{shown(block[1], made[block[2]])}```", text)
    SPEC.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
