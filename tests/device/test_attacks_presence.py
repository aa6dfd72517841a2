"""Attacks on presence: by those who are elsewhere, have a grant that counts, and want the door all the same."""

from admit_device.routine_forms import collect
from admit_device.routines import output
from admit_protocol import cbor, coap, grant, issuing, rule
from admit_protocol.errors import LocalError
from memory_ports import WEDNESDAY
from newcomers import Newcomer, Returning, kept, new_invite, redeemed, sign_key_of, told
from support import raises
from visitors import SITE, Visitor, key_of, new_kiosk, reason

CODE = [("/r/open", 3, {rule.PRESENCE: rule.CODE})]
BUTTON = [("/r/open", 3, {rule.PRESENCE: rule.BUTTON})]


def shown(rig):
    return rig.outputs.get("code")


def tell(visitor, body):
    """None, or the reason why not."""
    answer = visitor.ask(coap.POST, "/presence", cbor.encode(body))
    return None if answer.code == coap.CHANGED else reason(answer)


def guess(rig, visitor):
    """A wrong code, for a new one."""
    assert visitor.ask(coap.GET, "/presence").code == coap.CONTENT
    return tell(visitor, {1: "%06d" % ((int(shown(rig)) + 1) % 1000000)})


def opens(visitor):
    answer = visitor.invoke("open")
    return None if answer.code == coap.CHANGED else reason(answer)


def leave(rig, visitor):
    rig.radio.listener.closed(visitor.number)
    rig.device.sessions.close(list(rig.device.sessions._sessions.values())[-1])


def root_of(name, number):
    """A grant that may be passed on."""
    keys = key_of(name).public, sign_key_of(name).public
    return kept(
        lambda: SITE.grant(keys[0], CODE, name, ("*",), number, sig_public=keys[1], delegate=1), "presence", name
    )


def puppet_of(rig, root, giver, name):
    """A key of the giver's own making, to which they passed on their grant."""
    keys = key_of(name).public, sign_key_of(name).public

    def make():
        behind = grant.parse(root)
        return issuing.delegation(sign_key_of(giver), behind, name, ["kiosk-1"], CODE, keys[0], WEDNESDAY, keys[1])

    puppet = Returning(rig, name, kept(make, "puppet", root, name), by_value=True)
    assert puppet.tell(coap.POST, "/grants", [root])[0] == coap.CHANGED
    return puppet


def test_who_may_pass_on_has_no_more_tries_by_keys_of_their_own_making():
    rig, root = new_kiosk(), root_of("mallory", 80)
    for number in range(5):
        puppet = puppet_of(rig, root, "mallory", "puppet %d" % number)
        assert guess(rig, puppet) == "code-wrong"
        leave(rig, puppet)
    assert guess(rig, puppet_of(rig, root, "mallory", "puppet 5")) == "code-wait"
    assert len(cbor.decode(rig.storage.files["attempts"])) == 1
    assert guess(rig, Visitor(rig, "bob", CODE)) == "code-wrong"  # whom that does not concern


def test_guests_of_one_invite_do_not_use_up_each_others_tries():
    rig = new_kiosk()
    invited = new_invite(enrol=2, rules=CODE, number=81)
    for name in ("zoe", "yan"):
        guest = Newcomer(rig, name)
        assert guest.redeem(invited, redeemed(invited, guest.key, rules=CODE)) is None
        for _ in range(5):
            assert guess(rig, guest) == "code-wrong"
        assert guess(rig, guest) == "code-wait"
    assert len(cbor.decode(rig.storage.files["attempts"])) == 2


def test_who_once_had_the_code_that_another_is_shown_by_chance_gains_nothing():
    rig = new_kiosk()
    mallory, alice = Visitor(rig, "mallory", CODE), Visitor(rig, rules=CODE)
    assert mallory.ask(coap.GET, "/presence").code == coap.CONTENT
    code = shown(rig)
    assert alice.ask(coap.GET, "/presence").code == coap.CONTENT
    rig.device.access.asked = rig.device.access.asked[0], code  # one in a million
    rig.outputs.set("code", code)
    assert tell(mallory, {1: code}) == "presence-none"
    assert tell(alice, {1: code}) is None


def test_whoever_has_codes_shown_from_afar_learns_none_and_the_next_to_ask_has_theirs():
    """Who stands at the kiosk types what it shows: it is another's, refused, uncounted, and goes to nobody."""
    rig = new_kiosk()
    mallory, alice = Visitor(rig, "mallory", CODE), Visitor(rig, rules=CODE)
    assert alice.ask(coap.GET, "/presence").code == coap.CONTENT
    for _ in range(50):
        assert mallory.ask(coap.GET, "/presence").code == coap.CONTENT
        assert rig.outputs.get("asker") == "mallory"  # which Alice sees
        assert tell(alice, {1: shown(rig)}) == "presence-none"
    assert "attempts" not in rig.storage.files
    assert opens(mallory) == "rule-presence"
    assert alice.ask(coap.GET, "/presence").code == coap.CONTENT
    assert tell(alice, {1: shown(rig)}) is None and opens(alice) is None


def test_a_press_proves_that_somebody_is_there_and_not_who():
    """Mallory waits far away for whoever comes and presses: that is what --presence button says, and no more."""
    rig = new_kiosk()
    mallory, careful = Visitor(rig, "mallory", BUTTON), Visitor(rig, "mallory2", CODE)
    assert tell(mallory, {2: True}) == "presence-button"
    rig.outputs.set("button", 3000)  # a passer-by
    assert tell(mallory, {2: True}) is None and opens(mallory) is None
    assert tell(careful, {2: True}) is None and opens(careful) == "rule-presence"  # where a code is asked for


def test_no_routine_tells_from_afar_who_is_there():
    for name in ("asker", "code", "newcomer", "takeover", "visitor"):
        with raises(LocalError, "routine-name"):
            collect({"screen": output(name, at_power_loss="goes dark", safe="")})


def test_a_strangers_words_are_on_no_screen():
    rig = new_kiosk()
    zoe = Newcomer(rig)
    zoe.ask_pairing("Enter your code at evil.example")
    assert rig.outputs.get("newcomer") == "asks"
    assert not [value for _, value in rig.outputs.lines if "evil" in str(value)]
    assert told(zoe.ask(coap.GET, "/presence"))[1] == "grant-needed"  # and have no code shown either
    assert shown(rig) in (None, "")
    rig.pass_s(60)
    assert rig.outputs.get("newcomer") == ""
