"""People with recovery keys of a site, and what they sign to bring a kiosk of it to another one. For tests on both
runtimes.
"""

from admit_protocol import coap, issuing, takeover
from memory_ports import WEDNESDAY
from newcomers import Newcomer, kept, sign_key_of
from owners import EAST
from visitors import SITE

HOUR, DAY = 3600, 86400
PEOPLE = ("ada", "bo", "cy")
NONCE = b"takeover nonce 1"


def policy_paper(number=1, threshold=2, people=PEOPLE, delay_s=DAY, site=SITE):
    """The recovery policy, bytes."""

    def make():
        publics = [sign_key_of(name).public for name in people]
        return issuing.recovery_policy(
            site.key, site.anchor.site_id, number, threshold, publics, delay_s, WEDNESDAY - 100
        )

    return kept(make, "policy", number, threshold, people, delay_s, site.anchor.site_id)


def words_data(nonce=NONCE, policy=None, to=EAST, site=SITE, devices=None, expires=WEDNESDAY + 30 * DAY):
    """What is to be signed, bytes."""
    found = takeover.parse_policy(policy or policy_paper())
    return issuing.takeover_words(
        site.anchor.site_id, devices, to.anchor.encode(), nonce, found.hash, WEDNESDAY - 50, expires
    )


def signatures(words, people=("ada", "bo")):
    """Their signatures, bytes each, in the order of their keys."""
    parsed = takeover.parse_words(words)
    keys = sorted([sign_key_of(name) for name in people], key=lambda key: key.public)
    return [_signature(key, parsed) for key in keys]


def _signature(key, parsed):
    return kept(lambda: issuing.takeover_signature(key, parsed), "signed", parsed.hash, key.public)


def veto_paper(nonce=NONCE, site=SITE):
    return kept(lambda: issuing.takeover_veto(site.key, site.anchor.site_id, nonce), "veto", nonce, site.anchor.site_id)


class Holder(Newcomer):
    """Somebody who comes to a kiosk with papers, and without a grant."""

    def teach(self, policy=None):
        """Hand in the recovery policy; None, or the reason why not."""
        return self._hand_in({1: policy or policy_paper()})

    def begin(self, words=None, signed=None):
        """Hand in a takeover; None, or the reason why not."""
        words = words or words_data()
        return self._hand_in({2: words, 3: signatures(words) if signed is None else signed})

    def veto(self, paper=None):
        """Hand in the authority's veto; None, or the reason why not."""
        return self._hand_in({4: paper or veto_paper()})

    def look(self):
        """What GET /takeover tells."""
        code, body = self.tell(coap.GET, "/takeover")
        assert code == coap.CONTENT, body
        return body

    def _hand_in(self, body):
        code, told = self.tell(coap.POST, "/takeover", body)
        return None if code == coap.CHANGED else told
