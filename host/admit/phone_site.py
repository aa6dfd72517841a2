"""The phone's page as a web site: its files, the headers that they need, and writing it for any HTTPS host.

Owns: which files are the page, their types, its version, its content security policy, and the one setting that it has
(a gateway).
Rules: the page loads nothing from and tells nothing to anybody but its own origin, and the gateway if there is one.
Nothing is written but whole, and never over somebody else's files. Must not know: what the page does.
"""

import hashlib
import json
import os
import re
import shutil
import tempfile
from pathlib import Path

import rcssmin
import rjsmin

from admit.virtual.files import files
from admit_protocol.errors import Conflict, LocalError

TYPES = {
    ".LICENSE": "text/plain; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}
INDEX, CONFIG = "index.html", "config.json"
_WORKER = "sw.js"
_NOT_SHIPPED = {"tsconfig.json", CONFIG}
_SHORTER = {".js": rjsmin.jsmin, ".css": rcssmin.cssmin}
_HEADERS, _LIST = "_headers", ".admit-phone"

# What a page of ours may do. style.css and the modules are files; nothing is inline, and no text becomes markup.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'{gateway};"
    " manifest-src 'self'; worker-src 'self'; media-src blob: 'self'; base-uri 'none'; form-action 'none';"
    " require-trusted-types-for 'script'"
)
_DENIED = "accelerometer display-capture geolocation gyroscope hid magnetometer microphone midi payment serial usb"
_SECURE = re.compile(r"wss://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?/?")
_HERE = re.compile(r"ws://(localhost|127\.0\.0\.1|\[::1\])(?::(\d{1,5}))?/?")


def folder() -> Path:
    """Where the page is: in a checkout, or in what an installed admit brought."""
    return files() / "phone"


def gateway_origin(text: str) -> str:
    """A gateway as a policy names it: wss://HOST[:PORT], or ws:// on this machine. Raises LocalError gateway-form."""
    found = _SECURE.fullmatch(text) or _HERE.fullmatch(text)
    if found is None or not 0 < int(found[2] or 443) < 65536:
        raise LocalError("gateway-form", f"'{text[:80]}' is not like wss://gate.example.com:8683")
    return text.removesuffix("/").lower()


def policy(gateway: str | None = None) -> str:
    """The content security policy of the page, which may talk to this gateway and to no other host."""
    return _POLICY.format(gateway=f" {gateway}" if gateway else "")


def headers(gateway: str | None = None) -> dict[str, str]:
    """What is sent with every file, whoever sends it."""
    return {
        "Content-Security-Policy": f"{policy(gateway)}; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": ", ".join(
            ["bluetooth=(self)", "camera=(self)", *(f"{name}=()" for name in _DENIED.split())]
        ),
        "Cache-Control": "no-cache",
    }


def content(gateway: str | None = None) -> dict[str, bytes]:
    """Path, as in an address without its leading slash, → bytes of every file of the page, as a phone loads it."""
    found = {
        path.relative_to(folder()).as_posix(): _served(path)
        for path in sorted(folder().rglob("*"))
        if path.is_file() and path.suffix in TYPES and path.name not in _NOT_SHIPPED
    }
    found[INDEX] = found[INDEX].replace(policy().encode(), policy(gateway).encode())
    found[CONFIG] = json.dumps({"gateway": gateway}).encode() + b"\n"
    found[_WORKER] = _worker(found)
    return found


def _served(path: Path) -> bytes:
    """A file without its comments and blanks, which a phone need not load; what others wrote is left as they did."""
    if path.parent.name == "vendor" or path.suffix not in _SHORTER:
        return path.read_bytes()
    return _SHORTER[path.suffix](path.read_text(encoding="utf-8")).encode() + b"\n"


def _worker(found: dict[str, bytes]) -> bytes:
    """The service worker that keeps these files: it names them, and is another one when any of them is."""
    digest = hashlib.sha256()
    for name, data in found.items():
        digest.update(f"{name} {len(data)}\n".encode() + data)
    kept = ["./", *(name for name in found if name not in (INDEX, _WORKER))]
    text = found[_WORKER].decode().replace('"unversioned"', json.dumps(digest.hexdigest()[:16]), 1)
    return re.sub(r"(?<=const FILES=)\[[^\]]*\]", lambda _: json.dumps(kept), text, count=1).encode()


def export(target: Path, gateway: str | None = None) -> list[str]:
    """Write the site into `target`, a new folder, an empty one, or one that only an earlier export filled.

    It is there whole, or as it was. Returns the names of its files. Raises Conflict phone-folder.
    """
    target = Path(os.path.abspath(target))
    _check_ours(target)
    made = content(gateway) | {_HEADERS: _headers_file(gateway)}
    made[_LIST] = "".join(f"{name}\n" for name in sorted([*made, _LIST])).encode()
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        for name, data in made.items():
            _write(fresh / name, data)
        fresh.chmod(0o755)  # a web server reads it, who is somebody else
        _swap(fresh, target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return sorted(made)


def _check_ours(target: Path) -> None:
    """Raise unless nothing but what an earlier export wrote is there. A link is somebody's who made it."""
    if target.is_symlink() or target.exists() and not target.is_dir():
        raise Conflict("phone-folder", f"{target} is no folder")
    there = {
        each.relative_to(target).as_posix() for each in target.rglob("*") if each.is_symlink() or not each.is_dir()
    }
    listed = target / _LIST
    ours = set(listed.read_text(errors="replace").splitlines()) if there and listed.is_file() else set()
    if foreign := sorted(there - ours):
        raise Conflict("phone-folder", f"{target} holds files that are not of this page: {foreign[0]}")


def _swap(fresh: Path, target: Path) -> None:
    """Put `fresh` where `target` is; `fresh` is then what was there, if there was anything but an empty folder."""
    try:
        fresh.rename(target)  # over nothing, or over an empty folder
    except OSError:
        if not target.is_dir():
            raise
        aside = fresh.with_name(f"{fresh.name}.old")
        target.rename(aside)
        try:
            fresh.rename(target)
        except BaseException:
            aside.rename(target)
            raise
        aside.rename(fresh)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _headers_file(gateway: str | None) -> bytes:
    """The headers in the form that hosts of static sites read (Netlify, Cloudflare Pages)."""
    lines = ["/*", *(f"  {name}: {value}" for name, value in headers(gateway).items())]
    lines += ["/manifest.webmanifest", f"  Content-Type: {TYPES['.webmanifest']}", ""]
    return "\n".join(lines).encode()
