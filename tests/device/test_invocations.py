"""An invocation's id makes it happen at most once, across drops, resets, power cuts and full storage."""

from admit_device.invocations import DONE, FAILED, INTERRUPTED, Invocations, encode_outcome, parse_invocation
from admit_protocol import cbor
from admit_protocol.errors import Busy, Malformed, StorageError
from limits import MAX_RESULT, REMEMBERED, TAIL
from memory_ports import Memory, PowerCut
from support import raises

ALICE, BOB = b"alices k", b"bobs key"
FIRST = b"00000001"


def number(n):
    return n.to_bytes(8, "big")


def run(invocations, who, identifier, result=None, state=DONE):
    invocations.start(who, identifier)
    return invocations.finish(who, identifier, state, result)


def test_an_outcome_is_remembered_across_a_reset():
    storage = Memory()
    invocations = Invocations(storage)
    assert invocations.outcome(ALICE, FIRST) is None
    told = run(invocations, ALICE, FIRST, 5)
    assert cbor.decode(told) == {1: DONE, 2: 5}
    for each in (invocations, Invocations(storage)):
        assert each.outcome(ALICE, FIRST) == told
        assert each.outcome(BOB, FIRST) is None
        assert each.outcome(ALICE, number(2)) is None


def test_what_failed_has_failed_for_good():
    invocations = Invocations(Memory())
    told = run(invocations, ALICE, FIRST, "RuntimeError", FAILED)
    assert invocations.outcome(ALICE, FIRST) == told == encode_outcome(FAILED, "RuntimeError")


def test_while_it_runs_it_is_not_begun_again():
    invocations = Invocations(Memory())
    invocations.start(ALICE, FIRST)
    with raises(Busy, "routine-running"):
        invocations.outcome(ALICE, FIRST)
    assert invocations.outcome(BOB, FIRST) is None
    invocations.finish(ALICE, FIRST, DONE, None)
    assert cbor.decode(invocations.outcome(ALICE, FIRST)) == {1: DONE}


def test_a_reset_in_the_middle_leaves_it_interrupted():
    storage = Memory()
    Invocations(storage).start(ALICE, FIRST)
    after = Invocations(storage)
    assert cbor.decode(after.outcome(ALICE, FIRST)) == {1: INTERRUPTED}
    run(after, BOB, FIRST, 1)
    assert cbor.decode(Invocations(storage).outcome(ALICE, FIRST)) == {1: INTERRUPTED}


def test_at_any_power_cut_it_is_unused_or_used_up_and_never_unused_again():
    for cut in range(8):
        storage = Memory()
        invocations = Invocations(storage)
        for n in range(2 * REMEMBERED):  # both segments are full, so that the next start rotates
            run(invocations, ALICE, number(n), n)
        storage.cut_after = cut
        started = False
        try:
            invocations.start(BOB, FIRST)
            started = True
            invocations.finish(BOB, FIRST, DONE, 1)
        except PowerCut:
            pass
        storage.cut_after = None
        after = Invocations(storage)
        outcome = after.outcome(BOB, FIRST)
        assert (outcome is not None) == started
        newest = number(2 * REMEMBERED - 1)
        assert cbor.decode(after.outcome(ALICE, newest)) == {1: DONE, 2: 2 * REMEMBERED - 1}


def test_a_start_that_cannot_be_stored_is_no_start():
    storage = Memory()
    invocations = Invocations(storage)
    storage.full = True
    with raises(StorageError, "storage-full"):
        invocations.start(ALICE, FIRST)
    storage.full = False
    assert invocations.outcome(ALICE, FIRST) is None


def test_an_end_that_cannot_be_stored_leaves_it_interrupted_rather_than_running():
    storage = Memory()
    invocations = Invocations(storage)
    invocations.start(ALICE, FIRST)
    storage.full = True
    with raises(StorageError, "storage-full"):
        invocations.finish(ALICE, FIRST, DONE, 1)
    storage.full = False
    assert cbor.decode(invocations.outcome(ALICE, FIRST)) == {1: INTERRUPTED}


def test_the_latest_are_remembered_and_storage_stays_bounded():
    storage = Memory()
    invocations = Invocations(storage)
    for n in range(5 * REMEMBERED + 7):
        run(invocations, ALICE, number(n), n)
        assert len(list(invocations._segments.all())) <= 2 * (2 * REMEMBERED + TAIL) + TAIL
    kept = [n for n in range(5 * REMEMBERED + 7) if invocations.outcome(ALICE, number(n))]
    assert kept == list(range(kept[0], 5 * REMEMBERED + 7))
    assert len(kept) >= REMEMBERED


def test_a_result_that_cannot_be_told_makes_it_a_failure():
    for result, why in (
        (bytes(MAX_RESULT - 1), "result too long"),
        (1.5, "result: cbor-type"),
        ({1.5: 2}, "result: cbor-type"),
        ([[[[[[[[1]]]]]]]], "result: cbor-too-deep"),
    ):
        storage = Memory()
        invocations = Invocations(storage)
        assert cbor.decode(run(invocations, ALICE, FIRST, result)) == {1: FAILED, 2: why}
        assert cbor.decode(Invocations(storage).outcome(ALICE, FIRST)) == {1: FAILED, 2: why}
        assert cbor.decode(invocations.outcome(ALICE, FIRST)) == {1: FAILED, 2: why}


def test_the_longest_and_the_deepest_result_are_told():
    for result in (bytes(MAX_RESULT - 2), [[[[[[[1]]]]]]], {"a": None}, False, 0):
        told = run(Invocations(Memory()), ALICE, FIRST, result)
        assert cbor.decode(told) == {1: DONE, 2: result}


def test_an_invocation_is_an_id_and_arguments_and_nothing_else():
    assert parse_invocation(cbor.encode({1: FIRST})) == (FIRST, {})
    assert parse_invocation(cbor.encode({1: FIRST, 2: {"seconds": 3}})) == (FIRST, {"seconds": 3})
    for body, reason in (
        (b"", "cbor-truncated"),
        (cbor.encode([]), "invocation-body"),
        (cbor.encode({}), "invocation-id"),
        (cbor.encode({1: "00000001"}), "invocation-id"),
        (cbor.encode({1: b"0000001"}), "invocation-body"),
        (cbor.encode({1: b"000000001"}), "invocation-body"),
        (cbor.encode({1: FIRST, 2: []}), "invocation-arguments"),
        (cbor.encode({1: FIRST, 3: 0}), "invocation-body"),
    ):
        with raises(Malformed, reason):
            parse_invocation(body)
