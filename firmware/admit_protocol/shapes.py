"""What a grant and a rule are, as tuples: for whoever keeps them and does not judge them.

Must not know: what they mean. rule.py and standing.py do; rule_reader.py and grant.py read them.
"""

from collections import namedtuple

# `pattern`: a path, or what it begins with and a `*`; `methods`: a mask of AIF; `conditions`: {number: value}.
Rule = namedtuple("Rule", ("pattern", "methods", "conditions"))

# `id` (cti; a delegation's kid) and `kid` 8 bytes each, `site_id` 16, `key` (static DH) and `sig_key` (ES256, or None)
# 64; `audience` a tuple of device name patterns; `rules` a tuple of rule.Rule; `issued_at` unix seconds, `not_before`
# and `expires` too, or None; `data` its very bytes. `selectors`: the groups and roles that its holder belongs to,
# sorted text; `delegate`: how many links may follow it; `parent`: in a delegation the kid of the grant that it was made
# from, else None; `enrol`: for how many phones it is an invite, else 0; `chain`: of a delegation that was verified
# (delegation.py) the grants behind it, nearest first, each with an empty chain; else ().
Grant = namedtuple(
    "Grant",
    (
        "data",
        "kid",
        "id",
        "site_id",
        "subject",
        "audience",
        "key",
        "sig_key",
        "rules",
        "issued_at",
        "not_before",
        "expires",
        "selectors",
        "delegate",
        "parent",
        "enrol",
        "chain",
    ),
)
