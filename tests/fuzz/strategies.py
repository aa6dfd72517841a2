"""What the fuzz tests of CBOR-based parsers feed on: values, valid bytes gone wrong, and one way to judge the outcome."""

from admit_protocol import cbor
from admit_protocol.cbor import Tag
from admit_protocol.errors import RemoteError
from hypothesis import settings
from hypothesis import strategies as st

FUZZ = settings(max_examples=200, deadline=None, derandomize=True, database=None)

integers = st.integers(-(2**64), 2**64 - 1)
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
keys = integers | texts | st.binary(max_size=20)
scalars = st.none() | st.booleans() | integers | st.binary(max_size=40) | texts


def containers(inner):
    tags = st.builds(Tag, st.integers(0, 2**64 - 1), inner)
    return st.lists(inner, max_size=5) | st.dictionaries(keys, inner, max_size=5) | tags


values = st.recursive(scalars, containers, max_leaves=20)


@st.composite
def mutations(draw, valid):
    """Bytes of the strategy `valid`, with a few of them changed, cut out, doubled or put in."""
    data = bytearray(draw(valid))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        change = draw(st.sampled_from(("flip", "cut", "insert", "repeat", "end")))
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
    """Random bytes, bytes of `valid` gone wrong, and the encodings of values that are something else altogether."""
    return st.binary(max_size=200) | mutations(valid) | values.map(cbor.encode)


def parsed(parse, data):
    """What `parse` makes of `data`, None if it is refused. Any error but a RemoteError is the parser's fault."""
    try:
        return parse(data)
    except RemoteError as error:
        assert error.reason and error.reason == error.reason.lower()
        return None
