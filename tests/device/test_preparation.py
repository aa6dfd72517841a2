"""What is prepared is used once: no ephemeral and no nonce ever serves two handshakes."""

from admit_device.preparation import Ephemeral, Preparation
from limits import MAX_PEERS


class Key:
    """A private key that counts what is asked of it."""

    def __init__(self, number):
        self.public = bytes([number]) * 64
        self.products = 0
        self.nonces = []
        self.erased = False

    def shared_secret(self, peer):
        self.products += 1
        return self.public[:1] + peer[:1]

    def prepare_nonce(self, extra=b""):
        self.nonces.append(extra)

    def erase(self):
        self.erased = True


class KeySuite:
    def __init__(self):
        self.made = []

    def generate(self):
        self.made.append(Key(len(self.made)))
        return self.made[-1]


def test_a_prepared_product_costs_nothing_later_and_is_given_out_once():
    key = Key(1)
    ephemeral = Ephemeral(key)
    assert ephemeral.prepare(b"p" * 64)
    assert not ephemeral.prepare(b"p" * 64)
    assert key.products == 1
    assert ephemeral.shared_secret(b"p" * 64) == b"\x01p"
    assert key.products == 1
    ephemeral.shared_secret(b"p" * 64)
    assert key.products == 2


def test_erasing_forgets_the_products():
    key = Key(1)
    ephemeral = Ephemeral(key)
    ephemeral.prepare(b"p" * 64)
    ephemeral.erase()
    assert key.erased
    ephemeral.shared_secret(b"p" * 64)
    assert key.products == 2


def test_steps_end_and_no_ephemeral_is_taken_twice():
    suite, key = KeySuite(), Key(9)
    preparation = Preparation(suite, 1)
    preparation.remember(b"a" * 64)
    preparation.remember(b"b" * 64)
    steps = 0
    while preparation.step(key):
        steps += 1
    assert steps == 4  # ephemeral, nonce, two products
    assert preparation.take() is not preparation.take()
    assert len(suite.made) == 2


def test_nonces_differ_between_boots_and_within_one():
    key = Key(9)
    for boots in (1, 2):
        preparation = Preparation(KeySuite(), boots)
        for _ in range(3):
            while preparation.step(key):
                pass
            preparation.take()
    assert len(set(key.nonces)) == 6


def test_only_the_latest_peers_are_prepared():
    suite, key = KeySuite(), Key(9)
    preparation = Preparation(suite, 1)
    for number in range(MAX_PEERS + 3):
        preparation.remember(bytes([number]) * 64)
    preparation.remember(bytes([4]) * 64)
    while preparation.step(key):
        pass
    assert suite.made[0].products == MAX_PEERS
