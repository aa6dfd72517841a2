"""The project's documents against its code: what they list is what there is, and their examples are real.

docs/SPEC.md names every error, label, path, condition, kind and reason, and each of its examples is what the code makes
and reads. docs/THREATS.md names tests that exist, and every document names files and sections that exist.
"""

import ast
import json
import re
import zlib
from functools import cache

import pytest

import spec_examples
from admit import codes, invitation
from admit.boards import STEPS
from admit.health import parse as parse_health
from admit.suite import HostSuite
from admit_protocol import (
    anchor,
    block,
    bundle,
    cbor,
    coap,
    coap_udp,
    cose,
    credential,
    delegation,
    edhoc,
    edhoc_client,
    errors,
    gatt,
    grant,
    journal,
    journal_reader,
    linkformat,
    problem,
    receipt,
    release,
    rotation,
    rule,
    rule_reader,
    slip,
    standing,
    time_answer,
    voucher,
    wipe,
)
from admit_provisioning import boards, harden
from imports import ROOT
from rig import Phone, Rig, Site
from spec_examples import ALICE, ANCHOR, AUTHORITY, CREDENTIAL, DEVICE, DEVICE_ID, GRANT, SUBJECT

SUITE = HostSuite()
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")
NO_REASONS = {"utf-8"}
PATH = re.compile(r"`((?:boards|docs|firmware|host|phone|provisioning|tests|tools)/[\w./-]*)`")
DOCUMENTS = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "SECURITY.md"]
HOW = "if the code is right: .venv/bin/python tests/spec_examples.py"


@cache
def spec():
    return spec_examples.SPEC.read_text(encoding="utf-8")


@cache
def made():
    return spec_examples.examples()


def section(title):
    """The text of the section of docs/SPEC.md with this title, without its number."""
    found = re.search(rf"^(#+) [\d.]+ {re.escape(title)}\n(.*?)(?=^#|\Z)", spec(), re.MULTILINE | re.DOTALL)
    assert found, f"docs/SPEC.md has no section {title}"
    return found[2]


def table(title):
    """The rows of the tables in a section: lists of cells, without their backticks."""
    rows = [line.strip("|").split(" | ") for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip(" `") for cell in row] for row in rows]


def numbered(title):
    """{number: second cell} of those rows that begin with a number."""
    return {int(row[0]): row[1] for row in table(title) if row[0].isdigit()}


# What is listed


def test_every_error_has_its_row_with_its_codes():
    told = {tuple(row[:4]) for row in table("Classes") if row[0].isdigit()}
    kinds = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.AdmitError)]
    assert told == {(str(k.code), k.__name__, coap.code_text(k.coap), str(k.edhoc)) for k in kinds}


def test_every_label_has_its_row():
    told = {row[1] for row in table("Signed messages") if len(row) > 1 and row[1].startswith("admit:")}
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "firmware/admit_protocol").glob("cose*.py")]
    labels = re.compile(r'^[A-Z_]+ = .*\bb"(admit:[\w-]+)"', re.MULTILINE)
    assert told == {label for source in sources for label in labels.findall(source)}
    assert len(told) == 20


def test_every_resource_has_its_row():
    resources = resources_of(Rig({}, Site()))
    there = {
        (coap_name(method), "/" + "/".join(path).replace("*", "<name>"), who)
        for path, (who, handlers) in resources._table.items()
        for method in handlers
    }
    assert {tuple(row[:3]) for row in table("Resources") if row[0].isupper()} == there


def resources_of(rig):
    return rig.device.front.resources()


def coap_name(method):
    return {coap.GET: "GET", coap.POST: "POST", coap.PUT: "PUT", coap.DELETE: "DELETE"}[method]


def test_a_factory_device_has_what_anyone_and_its_cable_may_use():
    assert {who for who, _ in resources_of(Rig({}))._table.values()} == {"anyone", "cable"}


def test_every_condition_has_its_row():
    names = "windows zone bounds uses rate presence approvals timeless fresh life".split()
    assert numbered("Conditions") == {getattr(rule, name.upper()): name for name in names}
    assert len(rule_reader._CHECKS) == len(names)


def test_every_board_has_its_row():
    told = {row[0]: row[1:] for row in table("Kinds of board") if row[0].startswith("esp32_")}
    chips = [each for each in map(boards.load, boards.names()) if each.chip]
    assert told == {each.name: row_of(each) for each in chips}
    wanted = {"nvs": (0x9000, 0x6000), "phy_init": (0xF000, 0x1000), "factory": (0x10000, 0x1F0000)}
    ota = {"nvs": (0x9000, 0x4000), "otadata": (0xD000, 0x2000), "phy_init": (0xF000, 0x1000)}
    ota |= {"ota_0": (0x10000, 0x180000), "ota_1": (0x190000, 0x180000)}
    assert all(each.partitions == (ota if "ota" in each.name else wanted) for each in chips)
    assert all(each.flash_size == 4 << 20 for each in chips)


def row_of(board):
    pins = dict(board.pins)
    light = next(f"{name} {pins[name]}" for name in ("led", "rgb") if name in pins)
    places = [str(pins[name]) for name in ("button", "relay", "buzzer")]
    return [board.chip, hex(board.image_offset), places[0], light, *places[1:]]


def test_every_step_of_a_provisioning_is_named_in_its_order():
    assert ", ".join(f"`{step}`" for step in STEPS) in section("Boards in the registry")


def test_every_step_of_an_install_has_its_row():
    program = ast.parse((ROOT / "provisioning/admit_provisioning/on_board.py").read_text(encoding="utf-8"))
    loop = max(at for at, node in enumerate(program.body) if not isinstance(node, ast.FunctionDef))
    told = {row[0].partition("(")[0] for row in table("Steps") if "(" in row[0]}
    assert told == {node.name for node in program.body[loop:] if isinstance(node, ast.FunctionDef)} - {"create"}


def test_every_efuse_that_can_be_burned_is_named_with_its_chip():
    told = {row[0]: row[1] for row in table("Plans") if len(row) > 1}
    for chip, steps in harden._STEPS.items():
        row = next(cell for names, cell in told.items() if chip in names.split(", "))
        assert [name for name in re.findall(r"[A-Z][A-Z_]{6,}", row)][: len(steps)] == [step.efuse for step in steps]
        assert harden._DOWNLOAD_OFF.get(chip, harden._DOWNLOAD_OFF["others"]).efuse in row


@pytest.mark.parametrize(
    ("title", "names"),
    [("Kinds", journal_reader.KINDS), ("Outcomes", journal_reader.OUTCOMES), ("Extras", journal_reader.EXTRAS)],
)
def test_every_number_of_the_journal_has_its_row(title, names):
    assert numbered(title) == names


def test_every_reason_is_named():
    """Of those that leave the device or the library: LocalErrors stay where they are made."""
    missing = {}
    for path in sorted((ROOT / "firmware").rglob("*.py")):
        reasons = reasons_in(path.read_text(encoding="utf-8"))
        unnamed = {reason for reason in reasons if f"`{reason}`" not in spec()}
        if unnamed - NO_REASONS:
            missing[path.name] = sorted(unnamed - NO_REASONS)
    assert missing == {}


def reasons_in(source):
    """What looks like a reason in Python source, unless it is handed to LocalError."""
    tree = ast.parse(source)
    local = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and called(node) == "LocalError"]
    ours = {id(inner) for node in local for inner in ast.walk(node)}
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return {node.value for node in constants if id(node) not in ours and SLUG.fullmatch(node.value)}


def called(node):
    return getattr(node.func, "id", getattr(node.func, "attr", None))


def test_a_reason_without_a_name_would_be_found():
    source = 'raise Malformed("new-reason")\nexpect(1, int, "new-kind")\nraise LocalError("our-own")'
    assert reasons_in(source) == {"new-reason", "new-kind"}


def test_every_file_that_a_device_keeps_is_named():
    rig = Rig({}, Site())
    key = rig.site.suite.generate()
    Phone(rig, key, rig.site.grant(key.public, [("/r", 1, {})])).login()
    rig.device.access.apply_bundle(rig.site.bundle(1, issued_at=1_900_000_000))
    names = rig.storage.names() + rig.keystore.names()
    assert {"boots", "identity", "journal-a", "policy", "time-floor"} < set(names)
    for name in names:
        told = "grant-<kid in hex>" if name.startswith("grant-") else re.sub(r"-\d+$", "-<n>", name)
        assert f"`{told}`" in section("Storage"), name


# Examples


def test_every_example_stands_in_the_page():
    assert {name for _, name, _ in spec_examples.in_spec()} == made().keys() == READ.keys()


@pytest.mark.parametrize(
    ("form", "name", "text"), [pytest.param(*each, id="-".join(each[:2])) for each in spec_examples.in_spec()]
)
def test_an_example_is_what_the_code_makes(form, name, text):
    assert text == spec_examples.shown(form, made()[name]), HOW


@pytest.mark.parametrize("name", sorted({name for form, name, _ in spec_examples.in_spec() if form == "hex"}))
def test_an_example_is_read_by_the_code(name):
    text = next(text for form, each, text in spec_examples.in_spec() if (form, each) == ("hex", name))
    data = bytes.fromhex(text)
    assert READ[name](data) is not False


def read_credential(data):
    parsed = credential.parse(data)
    credential.verify(parsed, ANCHOR, SUITE)
    return (parsed.device_id, parsed.public) == (DEVICE_ID, DEVICE.public)


def read_grant(data):
    parsed = grant.parse(data)
    grant.verify_issuer(parsed, AUTHORITY.public, ANCHOR.site_id, SUITE)
    standing.check(parsed, DEVICE_ID, (spec_examples.WEDNESDAY,) * 2, ())
    return (parsed.subject, parsed.key) == (SUBJECT, ALICE.public)


def read_delegation(data):
    parent = grant.parse(made()["grant"])
    linked = delegation.verify_chain([grant.parse(data), parent], AUTHORITY.public, ANCHOR.site_id, SUITE)
    return (linked.subject, linked.id, linked.chain) == ("bob", linked.kid, (parent,))


def read_bundle(data):
    bundle.verify(bundle.parse(data), ANCHOR, DEVICE_ID, SUITE)


def read_sealed_bundle(data):
    return bundle.open_sealed(data, spec_examples.SEAL_KEY, SUITE) == made()["bundle"]


def read_time_answer(data):
    time_answer.verify(time_answer.parse(data), ANCHOR, DEVICE_ID, bytes(range(8)), SUITE)


def read_signed_head(data):
    journal_reader.verify([made()["record-0"], made()["record-1"]], data, DEVICE.public, DEVICE_ID, SUITE)


def read_journal(data):
    page = cbor.decode(data)
    records = journal_reader.verify(page[3], page[4], DEVICE.public, DEVICE_ID, SUITE, (page[1], page[2]))
    return [each.seq for each in records] == list(range(2, 9))


def read_identity_put(data):
    body = cbor.decode(data)
    return body[1] == CREDENTIAL and anchor.decode(body[2]).site_id == ANCHOR.site_id


def read_flight(code):
    return lambda data: gatt.decode_value(data)[1].code == code


def read_slip(data):
    ((kind, datagram),) = slip.Decoder(1280).feed(data)
    return kind == "coap" and datagram == made()["datagram"]


def read_frame(kind, link):
    return lambda data: (data[0:1], data[1], len(data) - 4) == (kind, link, int.from_bytes(data[2:4], "big"))


def read_window(data):
    length = int.from_bytes(data[:2], "little")
    body, check = data[4:-4], int.from_bytes(data[-4:], "little")
    text = zlib.decompressobj(-15).decompress(body[:-2])
    assert data[2:4] == data[:2] and length == len(data) - 4 and check == zlib.crc32(body, 0)
    return len(text) == int.from_bytes(body[-2:], "little") == 5 + int(text[:5])


def applied(delta):
    return release.apply_delta(release.parse_list(made()["release-list"]), spec_examples.SET.hash, delta)


def is_map(data):
    return isinstance(cbor.decode(data), dict)


# How each example is read back; False means that it says something else than the page claims.
READ = {
    "cose-key": lambda data: cose.decode_key(cbor.decode(data)) == (DEVICE.public, None),
    "anchor": lambda data: anchor.decode(data).name == "Example Works",
    "site-id": lambda data: data == anchor.decode(made()["anchor"]).site_id,
    "device-credential": read_credential,
    "scope": lambda data: [tuple(each) for each in grant.decode_scope(data)] == RULES_READ,
    "scope-aif": lambda data: [each.methods for each in grant.decode_scope(data)] == [3, 2],
    "grant-claims": is_map,
    "grant": read_grant,
    "grant-kid": lambda data: data == grant.parse(made()["grant"]).kid,
    "invitation": lambda data: read_grant(invitation.decode(data)[1]),
    "delegation": read_delegation,
    "bundle": read_bundle,
    "sealed-bundle": read_sealed_bundle,
    "time-answer": read_time_answer,
    "voucher": lambda data: voucher.verify_chain([voucher.parse(data)], ANCHOR, DEVICE_ID, DEVICE.public, SUITE),
    "receipt": lambda data: receipt.parse(data).to_site == spec_examples.NEXT.site_id,
    "rotation-by-old": lambda data: rotation.parse(data).new == spec_examples.NEXT_KEY.public,
    "rotation-by-new": lambda data: rotation.parse(data).new == spec_examples.NEXT_KEY.public,
    "wipe-certificate": lambda data: wipe.parse(data).reason == "moved house",
    "release-manifest": lambda data: release.verify(release.parse(data), ANCHOR, SUITE),
    "release-list": lambda data: [each[:2] for each in release.parse_list(data)] == [("a.mpy", 3), ("b/c.mpy", 3)],
    "release-delta": lambda data: [each[0] for each in applied(data)] == ["a.mpy", "b/c.mpy", "d.mpy"],
    "record-0": lambda data: journal_reader.parse_record(data).seq == 0,
    "record-1": lambda data: journal_reader.parse_record(data).who == journal.person(ALICE.public),
    "first-head": lambda data: data == journal.first_head(DEVICE.public),
    "signed-head": read_signed_head,
    "message-1": lambda data: edhoc.parse_message_1(data)[0] == 2,
    "message-2": lambda data: len(edhoc_client.parse_message_2(data)[1]) == 68,
    "message-3": lambda data: len(edhoc.parse_bytes(data, "edhoc-message-3")) == 26,
    "oscore-secret": lambda data: len(data) == 16,
    "oscore-salt": lambda data: len(data) == 8,
    "edhoc-error": lambda data: edhoc_client.parse_error(data) == (3, True),
    "flight-1": read_flight(coap.POST),
    "flight-2": read_flight(coap.CHANGED),
    "flight-3": read_flight(coap.POST),
    "flight-4": read_flight(coap.CHANGED),
    "gatt-value": lambda data: gatt.decode_value(data)[1].path == ("id",),
    "datagram": lambda data: coap_udp.decode_datagram(data)[2].path == ("id",),
    "slip-frame": read_slip,
    "slip-text": lambda data: slip.Decoder(10).feed(data) == [("diagnostic", "hi\n")],
    "block-option": lambda data: block.parse(data) == (2, True, 4),
    "core": lambda data: linkformat.parse(data.decode()) != [],
    "id-factory": lambda data: cbor.decode(data)[1] == "factory",
    "id": lambda data: read_credential(cbor.decode(data)[2]),
    "identity-post": lambda data: len(cbor.decode(data)[1]) == 32,
    "identity-key": lambda data: cose.decode_key(cbor.decode(data)[1])[0] == DEVICE.public,
    "identity-put": read_identity_put,
    "login": lambda data: cbor.decode(data)[2] == SUBJECT,
    "routines": lambda data: sorted(cbor.decode(data)) == ["light", "open"],
    "routine": lambda data: "door" in cbor.decode(data)["outputs"],
    "invocation": is_map,
    "outcome": lambda data: cbor.decode(data) == {1: 1, 2: 5},
    "journal": read_journal,
    "health": lambda data: parse_health(data)["storage"]["total"] == 65536,
    "health-log": lambda data: cbor.decode(data)[2][0][2] == "start 2: power",
    "denial": lambda data: problem.decode(data)[problem.TITLE] == "rule-argument",
    "release": lambda data: cbor.decode(data)[2] == made()["set-hash"],
    "reset": lambda data: cbor.decode(data) == {1: 1},
    "board-json": lambda data: json.loads(data)["port"] == "esp32",
    "set-hash": lambda data: len(data) == 32,
    "install-answer": lambda data: data == bytes(6),
    "install-stop": read_window,
    "label-device": lambda data: codes.parse_device(data.decode().strip()).device_id == DEVICE_ID,
    "label-sealed-text": lambda data: codes.parse_sealed(data.decode()) == bytes(range(16)),
    "label-sealed": lambda data: codes.parse_sealed(data.decode()) == bytes(range(16)),
    "label-air-name": lambda data: data.startswith(b"admit-"),
    "label-master-secret": lambda data: len(data) == 16,
    "label-host-id": lambda data: len(data) == 7,
    "frame-opened": read_frame(b"O", 1),
    "frame-received": read_frame(b"R", 1),
    "frame-confirmed": read_frame(b"C", 1),
    "frame-closed": read_frame(b"X", 1),
    "frame-advertise": read_frame(b"A", 0),
    "frame-indicate": read_frame(b"I", 1),
    "frame-disconnect": read_frame(b"D", 1),
    "file-value": lambda data: cbor.decode(data[4:]) == 7,
    "file-list": lambda data: int.from_bytes(data[:2], "big") == len(data) - 6,
}
RULES_READ = [tuple(each) for each in grant.parse(GRANT).rules]


def test_the_visit_has_the_bytes_that_the_page_says():
    flights = [len(made()[f"flight-{number}"]) for number in range(1, 5)]
    assert " + ".join(map(str, flights)) + f" = {sum(flights)} bytes" in spec()
    assert [len(made()[f"message-{number}"]) for number in range(1, 4)] == [37, 102, 28]


# The other documents


def test_every_test_that_threats_names_exists():
    named = re.findall(r"`(test_\w+)`", (ROOT / "docs/THREATS.md").read_text(encoding="utf-8"))
    assert len(named) > 100
    assert sorted(set(named) - names_of_tests()) == []


def names_of_tests():
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    return {name for source in sources for name in re.findall(r"^ *(?:async )?def (test_\w+)\(", source, re.MULTILINE)}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_path_and_link_in_a_document_leads_somewhere(document):
    text = document.read_text(encoding="utf-8")
    paths = [ROOT / path for path in PATH.findall(text)]
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    paths += [document.parent / link for link in links]
    assert [str(path) for path in paths if not path.exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_anchor_leads_to_a_heading(document):
    text = document.read_text(encoding="utf-8")
    headings = {re.sub(r"[^\w\- ]", "", line).strip().lower().replace(" ", "-") for line in headings_of(text)}
    assert [anchor for anchor in re.findall(r"\]\(#([^)]+)\)", text) if anchor not in headings] == []


def headings_of(text):
    return [line.lstrip("#") for line in text.splitlines() if line.startswith("#")]


def test_the_map_in_design_names_what_is_there():
    """Files, and the functions, classes or tables in them that a newcomer is sent to."""
    text = (ROOT / "docs/DESIGN.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\|[^|]*\| `([\w/]+\.py)` \|([^|]*)\|$", text, re.MULTILINE)
    assert len(rows) > 30
    for path, names in rows:
        source = (ROOT / path).read_text(encoding="utf-8")
        for name in re.findall(r"`(\w+)`", names):
            assert re.search(rf"^(async )?(def|class) {name}\b|^{name} = ", source, re.MULTILINE), f"{path}: {name}"


def test_every_section_that_code_refers_to_exists():
    design = (ROOT / "docs/DESIGN.md").read_text(encoding="utf-8")
    titles = {re.sub(r"^#+ [\d.]+ ", "", line).replace("`", "") for line in spec().splitlines() if line.startswith("#")}
    for folder in ("boards", "firmware", "host", "provisioning", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            source = path.read_text(encoding="utf-8")
            for number in re.findall(r"DESIGN section (\d+)", source):
                assert re.search(rf"^## {number}\. ", design, re.MULTILINE), f"{path.name}: DESIGN section {number}"
            for title in re.findall(r'docs/SPEC\.md,? "([^"]+)"', source):
                assert " ".join(title.split()) in titles, f"{path.name}: {title}"


def test_every_decision_record_is_numbered_and_listed():
    records = sorted(path.name for path in (ROOT / "docs/adr").glob("*.md"))
    assert [int(name[:4]) for name in records] == list(range(1, len(records) + 1))
    design = (ROOT / "docs/DESIGN.md").read_text(encoding="utf-8")
    assert [name for name in records if f"(adr/{name})" not in design] == []
