"""What the fuzz tests of CBOR-based parsers feed on: values, valid bytes gone wrong, and one judge of the outcome."""

import hashlib
import os

from hypothesis import settings
from hypothesis import strategies as st

from admit_protocol import cbor
from admit_protocol.cbor import Tag
from admit_protocol.errors import RemoteError

EXAMPLES = 5000 if os.environ.get("ADMIT_EXHAUST") else 100
FUZZ = settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None)
FEWER = settings(FUZZ, max_examples=EXAMPLES // 3)  # of what takes long to draw

integers = st.integers(-(2**64), 2**64 - 1)
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
keys = integers | texts | st.binary(max_size=20)
scalars = st.none() | st.booleans() | integers | st.binary(max_size=40) | texts


def containers(inner):
    tags = st.builds(Tag, st.integers(0, 2**64 - 1), inner)
    return st.lists(inner, max_size=5) | st.dictionaries(keys, inner, max_size=5) | tags


values = st.recursive(scalars, containers, max_leaves=20)

# What credentials, grants and bundles are made of.
publics = st.binary(min_size=64, max_size=64)
sites = st.binary(min_size=16, max_size=16)
names = texts.filter(lambda name: 0 < len(name.encode()) <= 64)
times = st.integers(0, 2**64 - 1)


class Signer:
    """Signs without secrecy: the same message, the same 64 bytes."""

    def sign(self, message):
        return hashlib.sha512(message).digest()


@st.composite
def mutations(draw, valid):
    """Bytes of the strategy `valid`, with a few of them changed, cut out, doubled or put in."""
    data = bytearray(draw(valid))
    for _ in range(draw(st.sampled_from((1, 1, 2, 3)))):
        at = draw(st.integers(0, len(data)))
        change = draw(st.sampled_from(("flip", "flip", "flip", "cut", "insert", "repeat", "end")))
        if change == "flip" and at < len(data):
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif change == "cut":
            del data[at : at + draw(st.integers(1, 4))]
        elif change == "insert":
            data[at:at] = draw(st.binary(min_size=1, max_size=4))
        elif change == "repeat":
            data[at:at] = data[max(0, at - 8) : at]
        else:
            del data[at:]
    return bytes(data)


def hostile(valid):
    """Bytes of `valid`, the same gone wrong, random ones, and the encodings of values that are something else."""
    return valid | mutations(valid) | st.binary(max_size=200) | values.map(cbor.encode)


def parsed(parse, data):
    """What `parse` makes of `data`, None if it is refused. Any error but a RemoteError is the parser's fault."""
    try:
        return parse(data)
    except RemoteError as error:
        assert error.reason and error.reason == error.reason.lower()
        return None
