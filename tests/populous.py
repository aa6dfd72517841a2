"""Sites of any number of users, devices and grants, made in a moment; and what a question to their registry costs."""

from contextlib import contextmanager

import cbor2
from sqlalchemy import event, insert

from admit.access_models import PolicyRuleRow
from admit.keyfiles import fingerprint
from admit.registry_models import Device, GrantRow, Key, User
from admit_protocol import grant, rule
from sites import NOW, SEALED, passphrase

GRANTS = 10  # of each user
USERS_A_DEVICE = 10
DENIALS = 5  # whatever the size: they are there to be lifted


def populate(site, users):
    """Fill a site's registry: so many users u0, u1, …; devices d0, …; each user has GRANTS, of which half allow `open`.

    The grants' bytes are those of u0's: a question about u0 reads no others, and one about all reads as much of each.
    """
    authority = site.authority(passphrase)
    devices = max(users // USERS_A_DEVICE, 1)
    publics = [b"u%063d" % number for number in range(users)]
    credential = authority.issue_credential("d0", site.anchor.sign_public, SEALED, NOW)
    grants = []
    for place in range(GRANTS):
        patterns = [f"d{place % devices}"] if place % 3 else ["d*", "locker-*"]
        path = "/r/open" if place % 2 else f"/r/door{place}"
        data = authority.issue_grant("u0", patterns, [(path, 3, {})], publics[0], NOW)
        grants += [_grant(data, place, number, publics[number], devices) for number in range(users)]
    with site.registry.editing() as session:
        for table, rows in (
            (Device, [_device(number, credential) for number in range(devices)]),
            (User, [{"name": f"u{number}", "added_at": NOW} for number in range(users)]),
            (Key, [_key(number, public) for number, public in enumerate(publics)]),
            (GrantRow, grants),
            (PolicyRuleRow, [_denial(number) for number in range(DENIALS)]),
        ):
            session.execute(insert(table), rows)


def _device(number, credential):
    public = b"d%063d" % number
    return {"id": f"d{number}", "public": public, "credential": credential, "added_at": NOW, "version": 1}


def _key(number, public):
    return {"fingerprint": fingerprint(public), "user_name": f"u{number}", "public": public, "added_at": NOW}


def _denial(number):
    data = cbor2.dumps([rule.DENY, [f"user:x{number}"], [], "*", 127, {}, f"deny{number}"])
    return {"id": f"deny{number}", "effect": 1, "devices": f"d{number}", "data": data, "who": "a", "issued_at": NOW}


def _grant(data, place, number, public, devices):
    """All but u0's are for their own device."""
    given = grant.parse(data)
    identifier = number.to_bytes(7, "big") + bytes([place])
    return {
        "id": (identifier if number else given.id).hex(),
        "kid": identifier if number else given.kid,
        "user_name": f"u{number}",
        "fingerprint": fingerprint(public),
        "data": data,
        "issued_at": NOW,
        "audience": f"d{number % devices}" if number else "\n".join(given.audience),
        "delegate": 0,
    }


@contextmanager
def sql_steps(registry):
    """Counts the instructions of SQLite's machine that run meanwhile, in `[count]`."""
    counted = [0]

    def step():
        counted[0] += 1

    def watch(connection, *_):
        connection.set_progress_handler(step, 1)

    engine = registry._engine
    engine.dispose()
    event.listen(engine, "checkout", watch)
    try:
        yield counted
    finally:
        event.remove(engine, "checkout", watch)
        engine.dispose()
