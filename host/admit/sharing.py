"""Passing on: a narrower grant out of one's own, for somebody else's keys, signed with one's own signing key.

Owns: which of a wallet's grants can be passed on for a wish, and what of its conditions stays with every rule.
Rules: nothing is written that admit_protocol.delegation does not see to be narrower, on any device.
Must not know: how a wish was told, and how the result travels.
"""

from dataclasses import dataclass

from admit import invitation
from admit.wallet import Wallet
from admit_protocol import delegation, grant, issuing, rule
from admit_protocol.errors import AdmitError, NotFound, Untrusted
from admit_protocol.rule import matches

Rule = tuple[str, int, dict]


@dataclass(frozen=True)
class Wish:
    """What to pass on, and to whom: their name, as it is told to others, and public keys (login, then signing).

    None stands for what one's own grant says. `delegate`: how many more links may follow.
    """

    name: str
    publics: tuple[bytes, ...]
    rules: list[Rule] | None = None
    audience: list[str] | None = None
    not_before: int | None = None
    expires: int | None = None
    delegate: int = 0


def share(wallet: Wallet, wish: Wish, now: int, among: list[grant.Grant] | None = None) -> grant.Grant:
    """The wish fulfilled from the newest of the wallet's grants, or of those `among` them, that allows it: a delegation
    with its chain.

    Raises NotFound share-none if no grant may be passed on, else what keeps the nearest of them from it.
    """
    refusal: AdmitError = NotFound("share-none", "no grant in this wallet may be passed on")
    for own in wallet.grants() if among is None else among:
        if own.delegate:
            try:
                return pass_on(wallet, own, wish, now)
            except Untrusted as error:
                refusal = error
    raise refusal


def pass_on(wallet: Wallet, own: grant.Grant, wish: Wish, now: int) -> grant.Grant:
    """The wish fulfilled from the wallet's grant `own`. Raises Untrusted share-wider, share-ended, or delegation's."""
    for link in (own, *own.chain):
        if link.expires is not None and link.expires <= now:
            raise Untrusted("share-ended", "the grant to be passed on has ended")
    try:
        data = _signed(wallet, own, wish, now)
    except Untrusted as error:
        if error.reason != "grant-wider":
            raise
        raise Untrusted("share-wider", f"that is more than your own grant allows: {error.detail}") from None
    return delegation.prepare(grant.parse(data), own)[0]


def narrowed(own: tuple[rule.Rule, ...], wanted: Rule) -> list[Rule]:
    """The rules that allow `wanted` as far as one's own do: with all their conditions, and the tighter bounds of both.

    Raises Untrusted share-wider if none of one's own does.
    """
    pattern, methods, conditions = wanted
    found = [
        (pattern, methods, _merged(each.conditions, conditions))
        for each in own
        if matches(each.pattern, pattern) and not methods & ~each.methods
    ]
    if not found:
        raise Untrusted("share-wider", f"your own grant does not allow all of {pattern}")
    return found


def invite(wallet: Wallet, given: grant.Grant) -> bytes:
    """The file to send: an invitation with `given` and the grants behind it."""
    return invitation.encode(wallet.anchor, given.data, [each.data for each in given.chain])


def _signed(wallet: Wallet, own: grant.Grant, wish: Wish, now: int) -> bytes:
    return issuing.delegation(
        wallet.sign_key,
        own,
        wish.name,
        wish.audience or list(own.audience),
        [each for one in wish.rules for each in narrowed(own.rules, one)] if wish.rules else list(own.rules),
        wish.publics[0],
        now,
        wish.publics[1] if len(wish.publics) > 1 else None,
        own.not_before if wish.not_before is None else wish.not_before,
        own.expires if wish.expires is None else wish.expires,
        delegate=wish.delegate,
    )


def _merged(own: dict, wanted: dict) -> dict:
    merged = {**own, **wanted}
    if rule.BOUNDS in own and rule.BOUNDS in wanted:
        names = sorted({*own[rule.BOUNDS], *wanted[rule.BOUNDS]})
        open_ = [None, None]
        merged[rule.BOUNDS] = {
            name: _tighter(own[rule.BOUNDS].get(name, open_), wanted[rule.BOUNDS].get(name, open_)) for name in names
        }
    return merged


def _tighter(one: list, other: list) -> list:
    least = [each[0] for each in (one, other) if each[0] is not None]
    most = [each[1] for each in (one, other) if each[1] is not None]
    return [max(least) if least else None, min(most) if most else None]
