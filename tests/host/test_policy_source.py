"""Where in a TOML file something stands, however it is written."""

import pytest

from admit.policy_source import Source, Table
from admit_protocol.errors import LocalError

TEXT = """# a comment
top = 1
[roles]
guest = { allow = [] }
[ roles . "night shift" ]
allow = [
  "x",
]
[[grant]]
to = "alice" # [not a header]
[[ grant ]]

to = "bob"
'on' = ["x"]
"""


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (("top",), "f:2: top"),
        (("roles", "guest"), "f:4: roles.guest"),
        (("roles", "night shift"), "f:5: roles.night shift"),
        (("roles", "night shift", "allow"), "f:6: roles.night shift, allow"),
        (("grant", 0, "to"), "f:10: grant 1, to"),
        (("grant", 1, "to"), "f:13: grant 2, to"),
        (("grant", 1, "on"), "f:14: grant 2, on"),
        (("grant", 1), "f:11: grant 2"),
        (("grant", 0, "on"), "f:9: grant 1, on"),
        (("grant", 7), "f: grant 8"),
        (("deny",), "f: deny"),
    ],
)
def test_a_place_has_its_line_where_there_is_one(path, place):
    assert Source("f", TEXT).place(path) == place


def test_what_is_no_toml_is_refused_with_the_line():
    with pytest.raises(LocalError) as caught:
        Source("f", "a = 1\nb = = 2\n")
    assert caught.value.reason == "policy-form"
    assert "line 2" in caught.value.detail


def test_an_error_of_a_form_keeps_its_reason():
    table = Table(Source("f", TEXT), ("grant", 0), {"to": "alice"}, ("to",))

    def parse(text):
        raise LocalError("form-days", f"{text} is no day")

    with pytest.raises(LocalError) as caught:
        table.form("to", parse)
    assert (caught.value.reason, caught.value.detail) == ("form-days", "f:10: grant 1, to: alice is no day")
