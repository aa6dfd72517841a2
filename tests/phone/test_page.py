"""The page as files: what its HTML may do, what a start loads, that everything which is said is said in each language,
and that every reason has a sentence.
"""

import json
import re
from functools import cache
from pathlib import Path

import pytest

from admit import phone_site
from imports import ROOT

PHONE = ROOT / "phone"
LANGUAGES = ["en", "de"]
START_LIMIT = 150_000  # bytes, uncompressed, as served
ICON_LIMIT = 8_000

# Keys that are put together while the page runs: all of them must be there, and none besides.
PUT_TOGETHER = {
    "run-": ["running", "done", "failed", "interrupted", "code", "button", "approvals", "error"],
    "is-": ["now", "done", "failed"],
    "by-": ["bluetooth", "gateway"],
    "card-": ["valid", "not-yet", "expired", "revoked", "says"],
    "what-": ["*", "/r/*", "/enrol", "/journal", "/health"],
    "": ["failed-why", "interrupted-why"],
}
_IMPORT = re.compile(r"^(?:import|export)\b[^;]*?\bfrom\s+\"(\.[^\"]+)\"", re.MULTILINE)
_WORD = re.compile(r"[\"`]([a-z][\w*/-]*)[\"`]")


@cache
def sources():
    """Path → text of each module of ours."""
    return {path: path.read_text() for path in sorted(PHONE.rglob("*.js")) if path.parent.name != "vendor"}


def said():
    """The modules in which words are chosen."""
    return {path: text for path, text in sources().items() if path.parent.name in ("acts", "views", "phone")}


@cache
def strings(language):
    """All strings of a language, of the file that a start loads and of the one that follows."""
    first, more = (json.loads((PHONE / f"strings/{language}{part}.json").read_text()) for part in ("", "-more"))
    assert not first.keys() & more.keys()
    return first | more


def started():
    """The modules that the page imports before it does anything, from its one script on."""
    found, todo = set(), [PHONE / "app.js"]
    while todo:
        path = todo.pop()
        if path not in found:
            found.add(path)
            todo += [Path(path.parent, each).resolve() for each in _IMPORT.findall(path.read_text())]
    return found


def of(path):
    return path.relative_to(PHONE).as_posix()


def test_what_a_start_in_one_language_loads_is_small():
    content = phone_site.content()
    files = ["index.html", "style.css", "early.js", "config.json", "icons/admit.svg", "manifest.webmanifest", "sw.js"]
    files += [of(path) for path in started()]
    sizes = {lang: sum(len(content[name]) for name in [*files, f"strings/{lang}.json"]) for lang in LANGUAGES}
    print(f"a start loads {len(files) + 1} files, bytes: {sizes}; limit {START_LIMIT}")
    assert max(sizes.values()) <= START_LIMIT


def test_a_start_loads_nothing_of_what_is_seldom_needed():
    names = {of(path) for path in started()}
    assert "views/home.js" in names
    assert not names & {"vendor/qr.js", "views/camera.js", "views/cards.js", "views/explain.js", "visit/websocket.js"}


def test_icons_are_small():
    assert sum(path.stat().st_size for path in (PHONE / "icons").iterdir()) <= ICON_LIMIT


def test_nothing_is_inline():
    page = (PHONE / "index.html").read_text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", page))
    assert re.findall(r"<script[^>]*>(.*?)</script>", page, re.DOTALL) == ["", ""]


def test_no_text_becomes_markup_or_code():
    markup = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\.style\b"
    sinks = re.compile(markup + r"|\beval\(|new Function|setTimeout\(\"")
    assert [of(path) for path, text in sources().items() if sinks.search(text)] == []


def test_no_other_host_is_named():
    """But for the namespace of SVG, and the forms of addresses that label.js reads."""
    allowed = {"http://www.w3.org/2000/svg", "https://x/"}
    named = {
        (of(path), each)
        for path, text in sources().items()
        for line in text.splitlines()
        if not line.lstrip().startswith(("//", "*", "/*"))
        for each in re.findall(r"\bhttps?://[\w.-]+[^\s\"'`<>$]*", line)
    }
    assert [(name, each) for name, each in sorted(named) if each not in allowed and name != "protocol/label.js"] == []


def test_the_languages_say_the_same():
    en, de = (strings(each) for each in LANGUAGES)
    assert en.keys() == de.keys()
    for key in en:
        places = [sorted(set(re.findall(r"\{\w+\}", each[key]))) for each in (en, de)]
        assert places[0] == places[1], key
        assert len(en[key].split("|")) == len(de[key].split("|")) <= 2, key
        assert en[key].strip() and de[key].strip(), key


def test_what_a_start_says_stands_in_its_file():
    more = json.loads((PHONE / "strings/en-more.json").read_text())
    first = {text for path, text in said().items() if path in started()}
    asked = set().union(*(re.findall(r"\bt\(\"([^\"]+)\"", text) for text in first))
    assert sorted(asked & more.keys()) == []


def test_every_string_is_used_and_every_used_one_is_there():
    there = strings("en").keys()
    asked = set().union(*(re.findall(r"\bt\(\"([^\"]+)\"", text) for text in said().values()))
    words = set().union(*(_WORD.findall(text) for text in said().values()))
    built = {head + tail for head, tails in PUT_TOGETHER.items() for tail in tails} | sentences()
    assert sorted(asked - there) == []
    assert sorted(built - there) == []
    assert sorted(there - words - asked - built) == []


def test_every_string_gets_its_values():
    """Where a literal key stands in a call, each of its {places} is named in the call."""
    missing = []
    for path, text in said().items():
        for key, values in re.findall(r"\bt\(\"([^\"]+)\"(?:, \{((?:[^{}]|\{[^{}]*\})*)\})?\)", text):
            for place in re.findall(r"\{(\w+)\}", strings("en").get(key, "")):
                if not re.search(rf"\b{place}\b", values):
                    missing.append(f"{of(path)}: {key} {place}")
    assert missing == []


@cache
def table():
    """(reason → name of its sentence, class → name) as acts/reasons.js has them."""
    text = (PHONE / "acts/reasons.js").read_text()
    block = text[text.index("const SENTENCES") : text.index("const NAMES")]
    names = {}
    for name, others in re.findall(r"\"?([\w-]+)\"?: [\"`]([^\"`]*)[\"`]", block):
        names |= dict.fromkeys([name, *others.split()], name)
    classes = dict(re.findall(r"(\w+): \"([\w-]+)\"", text[text.index("const CLASSES") : text.index("const ALARMS")]))
    return names, classes


def sentences():
    names, classes = table()
    return {f"e-{name}" for name in [*names.values(), *classes.values()]}


def raised(*folders):
    """(class, reason) of all that the modules in these folders raise."""
    found = set()
    for path, text in sources().items():
        if path.parent.name in folders:
            found |= set(re.findall(r"new ([A-Z]\w+)\(\s*\"([a-z0-9]+(?:-[a-z0-9]+)+)\"", text))
    return found


def test_all_that_a_visit_or_the_wallet_raises_has_a_sentence():
    names, classes = table()
    assert len(raised("visit", "store")) > 15
    unknown = {
        f"{kind} {reason}" for kind, reason in raised("visit", "store") if reason not in names and kind not in classes
    }
    assert unknown == set()
    local = {reason for kind, reason in raised("visit", "store", "protocol") if kind == "LocalError"}
    ours_alone = re.compile(r"(block|cbor|ccm|coap|delegation|edhoc|gatt|kdf|oscore|p256|rule|cose|cwt)-")
    assert sorted(each for each in local if each not in names and not ours_alone.match(each)) == []


@pytest.mark.parametrize("clause", ["### 7.4 Decision", "### 8.2 Checks"])
def test_every_denial_of_the_specification_has_a_sentence(clause):
    spec = (ROOT / "docs/SPEC.md").read_text()
    section = spec[spec.index(clause) :].split("\n###")[0]
    malformed = section[section.find("Malformed") :] if "Malformed" in section else ""
    reasons = set(re.findall(r"`((?:rule|grant)-[a-z-]+)`", section)) - set(re.findall(r"`([a-z-]+)`", malformed))
    reasons -= {"rule-allows", "grant-counts"}
    assert len(reasons) >= 9
    assert sorted(reasons - table()[0].keys()) == []


def test_what_may_be_an_impostor_is_an_alarm():
    text = (PHONE / "acts/reasons.js").read_text()
    alarms = json.loads(re.search(r"const ALARMS = (\[[^\]]*\]);", text)[1])
    names = table()[0]
    for reason in [
        "anchor-other-site",
        "ccm-tag",
        "cose-signature",
        "credential-other-site",
        "device-other",
        "device-struck-off",
        "device-unproven",
        "edhoc-mac-2",
        "edhoc-signature-2",
        "journal-rewritten",
        "journal-rolled-back",
        "wallet-no-site",
    ]:
        assert names[reason] in alarms
    assert table()[1]["Unverified"] in alarms and table()[1]["Replayed"] in alarms
