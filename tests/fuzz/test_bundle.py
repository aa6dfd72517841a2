"""Bundles under hypothesis: refused, or exactly what would be issued again."""

from hypothesis import given
from hypothesis import strategies as st

from admit_protocol import bundle, cbor, cose, issuing
from fuzz.strategies import FUZZ, Signer, hostile, names, parsed, sites, times, values

KEY = Signer()

ids = st.lists(st.binary(min_size=8, max_size=8), max_size=5)
epochs = st.integers(1, 2**64 - 1)
selectors = st.lists(
    names.map("user:{}".format) | st.binary(min_size=8, max_size=8).map(lambda each: "key:" + each.hex()), max_size=3
)
bundles = st.builds(
    issuing.bundle,
    st.just(KEY),
    sites,
    names,
    epochs,
    ids,
    times,
    selectors=selectors,
    notice=st.none() | st.binary(max_size=20),
)
joined = ids.map(lambda each: b"".join(sorted(set(each))))
fields = (sites, names, times, times, times, joined, joined, selectors, st.none() | st.just([]), st.none() | joined)
payloads = st.tuples(*(field | values for field in fields)).map(lambda each: dict(enumerate(each, 1)))
payloads |= st.tuples(*fields).map(lambda each: dict(enumerate(each, 1)))


def again(found):
    return issuing.bundle(
        KEY,
        found.site_id,
        found.device_id,
        found.epoch,
        bundle.split(found.added),
        found.issued_at,
        found.base,
        bundle.split(found.dropped),
        found.selectors,
        found.rules,
        found.notice,
    )


@FUZZ
@given(hostile(bundles) | payloads.map(lambda payload: cose.sign1(KEY, cbor.encode(payload), cose.BUNDLE)))
def test_a_bundle_is_refused_or_would_be_issued_with_the_same_payload(data):
    found = parsed(bundle.parse, data)
    if found:
        assert bundle.parse(again(found)).sign1.payload == found.sign1.payload and found.data == data


@FUZZ
@given(sites, names, epochs, ids, times)
def test_a_bundle_comes_back_as_it_went(site, device_id, epoch, revoked, issued_at):
    found = bundle.parse(issuing.bundle(KEY, site, device_id, epoch, revoked, issued_at))
    assert found[:5] == (site, device_id, epoch, 0, issued_at)
    assert bundle.split(found.added) == sorted(set(revoked))


policies = st.tuples(
    ids.map(lambda each: b"".join(sorted(set(each)))),
    selectors.map(lambda each: sorted(set(each))),
    st.sampled_from(([], [[2, ["everyone"], [], "*", 127, {}, "fire"]])),
)


@FUZZ
@given(st.lists(policies, min_size=2, max_size=5), st.integers(0, 3), st.data())
def test_changes_lead_from_each_epoch_between_to_the_last(several, first_epoch, data):
    """Whatever was added, dropped and changed back, and wherever the device stopped."""
    states = [(first_epoch + n, 100 * n, *each, b"notice") for n, each in enumerate(several)]
    made = bundle.parse(issuing.bundle(KEY, bytes(16), "kiosk-1", **issuing.changes(states)))
    state = data.draw(st.sampled_from(states[:-1]))
    assert bundle.merge(state, made) == states[-1]
