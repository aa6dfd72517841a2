"""A PostgreSQL of the tests' own: a cluster in a temporary folder, reached over a Unix socket there, and removed again.

Debian's package brings the programs; they run as an unprivileged user, since PostgreSQL refuses to run as root.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg

from admit.site import Site
from imports import ROOT
from sites import site_on

_NOBODY = "nobody"
_OPTIONS = "-c listen_addresses='' -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=40"
_OPTIONS += " -c shared_buffers=16MB -c wal_level=minimal -c max_wal_senders=0 -c autovacuum=off"


class Cluster:
    """A running cluster. `stop` removes all of it."""

    def __init__(self):
        self._programs = _programs()
        self._as_whom = {}
        self.folder = Path(tempfile.mkdtemp(prefix="admit-postgresql-"))
        self._sites = tempfile.TemporaryDirectory(prefix="admit-test-")
        self._count = 0
        if os.geteuid() == 0:
            owner = pwd.getpwnam(_NOBODY)
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
            self._as_whom = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        self._guard = self._watch()
        try:
            self._run(
                "initdb", "-D", self._data, "-U", "admit", "-A", "trust", "--no-locale", "--no-sync", "-E", "UTF8"
            )
            options = f"{_OPTIONS} -k '{self.folder}'"
            self._run("pg_ctl", "-D", self._data, "-l", str(self.folder / "log"), "-o", options, "-w", "start")
        except BaseException:
            self.stop()
            raise

    @property
    def _data(self):
        return str(self.folder / "data")

    def new_database(self):
        """The URL of something new and empty: a schema of the cluster's one database, which takes a moment less."""
        self._count += 1
        name = f"admit_{self._count}"
        self._execute(f"CREATE SCHEMA {name}")
        return f"postgresql://admit@/postgres?host={self.folder}&options=-csearch_path%3D{name}"

    def site(self, folder):
        """A new site in `folder` whose registry is here: the first one is made, others are copies of it."""
        template = Path(self._sites.name) / "site"
        if not template.exists():
            self._execute("CREATE DATABASE template_site")
            site_on(template, self._url("template_site")).registry.close()
        self._count += 1
        name = f"site_{self._count}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE template_site")
        shutil.copytree(template, folder)
        config = (folder / "site.toml").read_text()
        (folder / "site.toml").write_text(config.replace("/template_site?", f"/{name}?"))
        return Site(folder)

    def _url(self, database):
        return f"postgresql://admit@/{database}?host={self.folder}"

    def _execute(self, statement):
        with psycopg.connect(host=str(self.folder), user="admit", dbname="postgres", autocommit=True) as connection:
            connection.execute(statement)

    def stop(self):
        """End it, and leave nothing behind."""
        self._guard.stdin.close()
        self._guard.wait()
        self._sites.cleanup()

    def _watch(self):
        """A process that does that once its input ends: when we say so, and when we are killed."""
        script = 'cat; test -e "$1/data/postmaster.pid" && "$2" -D "$1/data" -m immediate -w stop; rm -rf "$1"'
        return subprocess.Popen(
            ["sh", "-c", script, "sh", str(self.folder), str(self._programs / "pg_ctl")],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
            **self._as_whom,
        )

    def _run(self, program, *arguments):
        done = subprocess.run(
            [str(self._programs / program), *arguments],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # the server keeps what pg_ctl was given: a pipe would never end
            stderr=subprocess.DEVNULL,
            **self._as_whom,
        )
        if done.returncode:
            log = self.folder / "log"
            raise RuntimeError(f"{program} failed. {log.read_text() if log.exists() else ''}")


def _programs():
    """The folder of PostgreSQL's programs, the newest version's; Debian keeps them off the PATH."""
    if not _installed():
        subprocess.run([ROOT / "tools/debian-needs", "postgresql"], check=True)
    return _installed()[-1]


def _installed():
    found = [
        path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/pg_ctl") if (path.parent / "initdb").exists()
    ]
    on_path = shutil.which("pg_ctl")
    if not found and on_path and shutil.which("initdb"):
        return [Path(on_path).resolve().parent]
    return sorted(found, key=lambda path: int(path.parent.name))
