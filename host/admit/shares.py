"""Shares of a secret, k of n, as words: SLIP-39, one group, no passphrase of its own.

Owns: what a share is, how shares are made and put together, and which word of one is wrong.
Rules: fewer than k shares tell nothing of the secret. No message names a word of a share, only its place.
Must not know: what the secret opens.
"""

from collections.abc import Sequence

from shamir_mnemonic import MnemonicError, Share, combine_mnemonics, generate_mnemonics, rs1024
from shamir_mnemonic.constants import CUSTOMIZATION_STRING_EXTENDABLE, CUSTOMIZATION_STRING_ORIG, RADIX_BITS
from shamir_mnemonic.wordlist import WORD_INDEX_MAP

from admit_protocol.errors import LocalError

MAX_SHARES = 16
SECRET_LENGTH = 16  # bytes: as strong as the P-256 keys that it opens
WORDS = 20

_NO_PASSPHRASE = b""
_FOREIGN = "it is a share, but of no set that admit made"


def split(secret: bytes, count: int, threshold: int) -> list[str]:
    """`count` shares (2 to 16), of which any `threshold` (2 to count) give the secret, 16 bytes. 20 words each.

    Raises LocalError recovery-numbers.
    """
    if not 2 <= threshold <= count <= MAX_SHARES or len(secret) != SECRET_LENGTH:
        raise LocalError("recovery-numbers", f"2 to {MAX_SHARES} shares, and a threshold from 2 to their number")
    (made,) = generate_mnemonics(1, [(threshold, count)], secret, _NO_PASSPHRASE, iteration_exponent=0)
    if not secret == combine(made[:threshold]) == combine(made[-threshold:]):
        raise LocalError("recovery-numbers", "the shares do not give the secret back")
    return made


def parse(text: str, known: Sequence[Share] = ()) -> Share:
    """A share as somebody copied it, in any case, with any blanks between; one of the same set as those `known`.

    Raises LocalError recovery-length, recovery-word (which one is wrong), recovery-other-set, recovery-twice.
    """
    words = text.lower().split()
    if len(words) != WORDS:
        raise LocalError("recovery-length", f"a share has {WORDS} words, this has {len(words)}")
    strange = [number for number, word in enumerate(words, 1) if word not in WORD_INDEX_MAP]
    if strange:
        raise LocalError("recovery-word", f"{_named(strange)} not in the list of words")
    indices = [WORD_INDEX_MAP[word] for word in words]
    if not rs1024.verify_checksum(indices, CUSTOMIZATION_STRING_EXTENDABLE):
        if rs1024.verify_checksum(indices, CUSTOMIZATION_STRING_ORIG):  # SLIP-39 as it was at first
            raise LocalError("recovery-other-set", _FOREIGN)
        raise LocalError("recovery-word", _which(indices))
    return _checked(" ".join(words), known)


def _checked(mnemonic: str, known: Sequence[Share]) -> Share:
    try:
        share = Share.from_mnemonic(mnemonic)
    except MnemonicError:
        raise LocalError("recovery-other-set", _FOREIGN) from None
    if share.group_count != 1 or share.member_threshold < 2:
        raise LocalError("recovery-other-set", _FOREIGN)
    for number, other in enumerate(known, 1):
        if other.group_parameters() != share.group_parameters():
            raise LocalError("recovery-other-set", f"it is of another set than share {number}")
        if other.index == share.index:
            raise LocalError("recovery-twice", f"it is share {number} once more")
    return share


def combine(mnemonics: Sequence[str]) -> bytes:
    """The secret of exactly as many shares as are needed. Raises LocalError recovery-too-few, recovery-other-set and as
    `parse` does.
    """
    known: list[Share] = []
    for mnemonic in mnemonics:
        known.append(parse(mnemonic, known))
    if not known or len(known) < known[0].member_threshold:
        needed = known[0].member_threshold if known else 2
        raise LocalError("recovery-too-few", f"{len(known)} of the {needed} that are needed")
    try:
        return combine_mnemonics([share.mnemonic() for share in known[: known[0].member_threshold]], _NO_PASSPHRASE)
    except MnemonicError:  # their digest: of two sets that look like one
        raise LocalError("recovery-other-set", "these shares do not belong together") from None


def _which(indices: list[int]) -> str:
    """Which word is wrong, if another one in its place makes the checksum true; the code has distance 4."""
    wrong = _sum(indices) ^ 1
    places = [place for place in range(len(indices)) if _explains(indices, place, wrong)]
    if len(places) == 1:
        return f"word {places[0] + 1} is wrong, although it is in the list of words"
    return "two or more words are wrong, or not in their order"


def _explains(indices: list[int], place: int, wrong: int) -> bool:
    """Whether one other word at `place` would change the checksum by `wrong`; the checksum is linear in its bits."""
    base = _sum(indices)
    changes = []
    for bit in range(RADIX_BITS):
        changed = [*indices]
        changed[place] ^= 1 << bit
        changes.append(_sum(changed) ^ base)
    return _is_sum_of(wrong, changes)


def _is_sum_of(wanted: int, parts: list[int]) -> bool:
    """Whether some of `parts`, added without carry, make `wanted`."""
    basis: list[int] = []
    for part in parts:
        if reduced := _reduced(part, basis):
            basis = sorted([*basis, reduced], reverse=True)
    return _reduced(wanted, basis) == 0


def _reduced(value: int, basis: list[int]) -> int:
    for each in basis:
        value = min(value, value ^ each)
    return value


def _sum(indices: list[int]) -> int:
    return rs1024._polymod(list(CUSTOMIZATION_STRING_EXTENDABLE) + indices)


def _named(numbers: list[int]) -> str:
    """ "word 7 is", "words 7 and 9 are"."""
    if len(numbers) == 1:
        return f"word {numbers[0]} is"
    return f"words {', '.join(map(str, numbers[:-1]))} and {numbers[-1]} are"
