"""What papers weigh on the wire: those that people hold, and what a courier carries for each change.

A bundle says what changed and nothing else, so its bytes follow the change, and not what the device holds already.
"""

from admit import invites
from admit.suite import HostSuite
from admit_protocol import bundle, cose_encrypt, delegation, grant, invite, issuing, rule
from admit_protocol.anchor import Anchor

SUITE = HostSuite()
KEY, LOGIN, SIGN = (SUITE.private_key(bytes(31) + bytes([n])) for n in (5, 6, 7))
SITE = Anchor(KEY.public, KEY.public, "North").site_id
NOW, NIGHTS = 1_800_000_000, {rule.WINDOWS: [[31, 1320, 360]], rule.ZONE: [[1_793_494_800, 60], [1_805_590_800, 120]]}
PEOPLE = {"sig_public": SIGN.public, "expires": NOW + 86_400}
PLAIN, AT_NIGHT = [("/r/open", 3, {})], [("/r/open", 3, NIGHTS)]
HELD = 300  # revocations that a device has heard of already


def sizes():
    """[(what, bytes, limit, unit)] of every paper."""
    links = chain()
    return [
        ("grant: AIF, two keys, an end", len(a_grant(PLAIN)), 400, "B"),
        ("grant: at night in a time zone", len(a_grant(AT_NIGHT)), 440, "B"),
        *((f"delegation: link {n}", len(each.data), 410, "B") for n, each in enumerate(reversed(links[:-1]), 1)),
        ("chain of four delegations and their root", sum(len(each.data) for each in links), 2048, "B"),
        ("invite: the grant", len(an_invite().grant), 380, "B"),
        ("invite: the link, characters", len(invites.encode(an_invite())), 560, ""),
        ("time answer", len(issuing.time_answer(KEY, SITE, "kiosk-1", bytes(8), NOW)), 128, "B"),
        ("approval", len(issuing.approval(KEY, SITE, "kiosk-1", bytes(8), bytes(32))), 160, "B"),
        ("proof of enrolment", len(issuing.enrolment(KEY, bytes(32), bytes(8))), 128, "B"),
        ("sealing adds", len(sealed(b"x" * 300)) - 300, cose_encrypt.OVERHEAD, "B"),
        *((f"sealed bundle: {what}", carried(change), limit, "B") for what, change, limit in CHANGES),
    ]


def a_grant(rules, **more):
    return issuing.grant(KEY, SITE, bytes(8), "alice", ["kiosk-*"], rules, LOGIN.public, NOW, **(PEOPLE | more))


def chain():
    """A grant that was passed on four times: [leaf, …, root]."""
    links = [grant.parse(a_grant(PLAIN, delegate=4))]
    for left in (3, 2, 1, 0):
        fields = PEOPLE | {"delegate": left}
        data = issuing.delegation(SIGN, links[0], "bob", ["kiosk-1"], PLAIN, LOGIN.public, NOW, **fields)
        links.insert(0, grant.parse(data))
    delegation.verify_chain(links, KEY.public, SITE, SUITE)
    return links


def an_invite():
    secret = bytes(invite.SECRET_LENGTH)
    public = invite.key(secret, SUITE).public
    fields = {"expires": NOW + 86_400, "delegate": 1, "enrol": 1, "selectors": ["role:guest"]}
    data = issuing.grant(KEY, SITE, bytes(8), "guest", ["lobby-1"], PLAIN, public, NOW, **fields)
    return invites.Link(secret, SITE, data)


def sealed(data):
    return cose_encrypt.seal(SUITE, LOGIN.public, data)


def ids(numbers):
    return b"".join(number.to_bytes(8, "big") for number in numbers)


def lockdown(number=0):
    return [rule.LOCKDOWN, ["everyone"], ["role:security"], "*", 127, {}, f"fire-{number}"]


BEFORE = (7, NOW, ids(range(HELD)), ["user:mallory"], [], None)


def after(**changes):
    """The policy once one thing has changed; everything else is as before."""
    fields = dict(zip(("revoked", "selectors", "rules", "notice"), BEFORE[2:], strict=True)) | changes
    return (8, NOW + 60, *fields.values())


CHANGES = [
    ("nothing but the epoch", after(), 256),
    ("one grant taken back", after(revoked=ids(range(HELD + 1))), 264),
    ("ten grants taken back", after(revoked=ids(range(HELD + 10))), 340),
    ("one grant named no longer", after(revoked=ids(range(1, HELD))), 264),
    ("a user shut out", after(selectors=["user:alice", "user:mallory"]), 288),
    ("a lockdown", after(rules=[lockdown()]), 300),
    ("a notice", after(notice=issuing.notice(KEY, SITE, 2, NOW, [bytes(8)])), 400),
]


def carried(state):
    """Bytes of the sealed bundle that brings a device from BEFORE to `state`."""
    data = issuing.bundle(KEY, SITE, "kiosk-1", **issuing.changes((BEFORE, state)))
    assert bundle.merge(BEFORE, bundle.parse(data))[1:] == state[1:]
    return len(sealed(data))
