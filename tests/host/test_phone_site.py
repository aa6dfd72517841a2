"""The phone's page as a site: which files it is, what is sent with them, and writing it whole or not at all."""

import json
import os
import re

import pytest

from admit import phone_site
from admit_protocol.errors import Conflict, LocalError

GATEWAY = "wss://gate.example:8683"


def tree(folder):
    """Every file below a folder, and what is in it."""
    return {each.relative_to(folder).as_posix(): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def test_every_file_of_the_page_is_served_with_its_type():
    content = phone_site.content()
    on_disk = {
        each.relative_to(phone_site.folder()).as_posix() for each in phone_site.folder().rglob("*") if each.is_file()
    }
    assert on_disk - content.keys() <= {"tsconfig.json"}
    assert content.keys() - on_disk <= {"config.json"}
    assert {"index.html", "app.js", "style.css", "sw.js", "manifest.webmanifest"} <= content.keys()


def test_the_page_is_small():
    """What a visit loads is counted in tests/browser; this is all that there is."""
    assert sum(len(each) for each in phone_site.content().values()) <= 280_000


def test_a_phone_loads_no_comments_and_others_files_as_they_are():
    content = phone_site.content()
    ours = [name for name in content if name.endswith((".js", ".css")) and not name.startswith(("vendor/", "sw.js"))]
    assert all(len(content[name]) < len((phone_site.folder() / name).read_bytes()) for name in ours)
    vendored = [name for name in content if name.startswith("vendor/")]
    assert vendored and all(content[name] == (phone_site.folder() / name).read_bytes() for name in vendored)
    assert b"Must not know" not in b"".join(content.values())


def test_the_policy_stands_in_the_page_too_for_hosts_that_send_no_headers():
    (policy,) = re.findall(
        rb'<meta http-equiv="Content-Security-Policy" content="([^"]+)"', phone_site.content()["index.html"]
    )
    assert policy.decode() == phone_site.policy()
    page = phone_site.content(GATEWAY)["index.html"].decode()
    assert f'content="{phone_site.policy(GATEWAY)}"' in page and GATEWAY in page


def test_the_service_worker_keeps_every_file_of_one_version():
    content = phone_site.content()
    worker = content["sw.js"].decode()
    (listed,) = re.findall(r"const FILES=(\[.*?\]);", worker, re.DOTALL)
    assert {"./", *json.loads(listed)} == {"./", *content.keys() - {"index.html", "sw.js"}}
    versions = [
        re.findall(r'const VERSION="([0-9a-f]{16})"', each["sw.js"].decode())
        for each in (content, phone_site.content(GATEWAY))
    ]
    assert versions[0] != versions[1] and all(len(each) == 1 for each in versions)
    assert phone_site.content() == content


def test_a_gateway_is_told_and_allowed_and_nobody_else():
    assert json.loads(phone_site.content()["config.json"]) == {"gateway": None}
    assert json.loads(phone_site.content(GATEWAY)["config.json"]) == {"gateway": GATEWAY}
    assert f"connect-src 'self' {GATEWAY};" in phone_site.headers(GATEWAY)["Content-Security-Policy"]
    assert "connect-src 'self';" in phone_site.headers()["Content-Security-Policy"]


def test_nothing_is_allowed_that_the_page_does_not_need():
    headers = phone_site.headers()
    assert headers["Content-Security-Policy"].startswith("default-src 'none';")
    assert "unsafe" not in headers["Content-Security-Policy"] and "*" not in headers["Content-Security-Policy"]
    allowed = re.findall(r"([a-z-]+)=\(self\)", headers["Permissions-Policy"])
    assert allowed == ["bluetooth", "camera"]
    assert (headers["Referrer-Policy"], headers["X-Content-Type-Options"]) == ("no-referrer", "nosniff")
    assert (headers["Cross-Origin-Opener-Policy"], headers["Cache-Control"]) == ("same-origin", "no-cache")


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("wss://gate.example", "wss://gate.example"),
        ("wss://Gate.Example:8683/", "wss://gate.example:8683"),
        ("wss://[2001:db8::1]:1", "wss://[2001:db8::1]:1"),
        ("ws://localhost:8683", "ws://localhost:8683"),
    ],
)
def test_a_gateway_is_an_address(text, origin):
    assert phone_site.gateway_origin(text) == origin


@pytest.mark.parametrize(
    "text",
    [
        "gate.example",
        "https://gate.example",
        "ws://gate.example",
        "wss://",
        "wss://gate.example/path",
        "wss://gate.example:0",
        "wss://gate.example:65536",
        "wss://*",
        "wss://a b",
        "wss://a; script-src *",
        "wss://a\r\nX: y",
        'wss://a"',
        "wss://user@gate.example",
        "ws://localhost.example",
        "",
    ],
)
def test_what_is_no_gateway_is_refused(text):
    with pytest.raises(LocalError, match="gateway-form"):
        phone_site.gateway_origin(text)


def test_the_site_is_written_for_any_host(tmp_path):
    names = phone_site.export(tmp_path / "deep/site", GATEWAY)
    written = tree(tmp_path / "deep/site")
    assert sorted(written) == names
    assert written.items() >= phone_site.content(GATEWAY).items()
    told = written["_headers"].decode()
    for name, value in phone_site.headers(GATEWAY).items():
        assert f"\n  {name}: {value}\n" in told
    assert os.stat(tmp_path / "deep/site").st_mode & 0o777 == 0o755
    assert [each.name for each in (tmp_path / "deep").iterdir()] == ["site"]


def test_an_earlier_export_is_replaced_and_an_empty_folder_filled(tmp_path):
    (tmp_path / "site").mkdir()
    phone_site.export(tmp_path / "site", GATEWAY)
    phone_site.export(tmp_path / "site")
    assert json.loads((tmp_path / "site/config.json").read_text()) == {"gateway": None}
    assert [each.name for each in tmp_path.iterdir()] == ["site"]


@pytest.mark.parametrize("name", ["thesis.txt", ".git", "sub/thesis.txt"])
def test_a_folder_of_somebody_elses_is_left_alone(tmp_path, name):
    (tmp_path / "sub").mkdir()
    (tmp_path / name).write_text("years of work")
    with pytest.raises(Conflict, match="phone-folder"):
        phone_site.export(tmp_path)
    assert tree(tmp_path) == {name: b"years of work"}


def test_a_file_that_came_into_an_export_is_not_lost(tmp_path):
    phone_site.export(tmp_path / "site")
    (tmp_path / "site/CNAME").write_text("key.example")
    before = tree(tmp_path)
    with pytest.raises(Conflict, match="CNAME"):
        phone_site.export(tmp_path / "site", GATEWAY)
    assert tree(tmp_path) == before


def test_a_list_that_names_other_files_makes_them_ours_only_where_it_stands(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Conflict, match="phone-folder"):
        phone_site.export(tmp_path / "link")
    (tmp_path / "file").write_text("x")
    with pytest.raises(Conflict, match="phone-folder"):
        phone_site.export(tmp_path / "file")


@pytest.mark.parametrize("there", [False, True])
def test_a_site_is_there_whole_or_as_it_was(tmp_path, monkeypatch, there):
    if there:
        phone_site.export(tmp_path / "site")
    before, left = tree(tmp_path), [5]
    write = phone_site._write

    def full(path, data):
        left[0] -= 1
        if not left[0]:
            raise OSError(28, "No space left on device")
        write(path, data)

    monkeypatch.setattr(phone_site, "_write", full)
    with pytest.raises(OSError):
        phone_site.export(tmp_path / "site", GATEWAY)
    assert tree(tmp_path) == before
    assert (tmp_path / "site").exists() == there
