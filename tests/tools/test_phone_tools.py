"""tools/phone-tools in a project folder of its own, with an npm that brings something else than it should.

That the real thing works is seen at the start of every test run, which has its tools from it.
"""

import os
import shutil
import subprocess

from imports import ROOT

# Plays `npm pack`: brings what claims to be the package.
NPM = """#!/bin/sh
mkdir package && echo "$*" >package/what && tar -czf package.tgz package && rm -r package
"""


def run(folder, **environment):
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin/npm").write_text(NPM)
    (folder / "bin/npm").chmod(0o755)
    (folder / "tools").mkdir(exist_ok=True)
    shutil.copy(ROOT / "tools/phone-tools", folder / "tools/phone-tools")
    environment["PATH"] = f"{folder / 'bin'}:{os.environ['PATH']}"
    return subprocess.run([folder / "tools/phone-tools"], env=environment, capture_output=True, text=True)


def test_a_package_that_is_not_the_one_is_not_unpacked(tmp_path):
    for _ in range(2):
        done = run(tmp_path)
        assert done.returncode == 1 and done.stdout == ""
        assert "what npm fetched is not what it should be" in done.stderr
        assert [path.name for path in (tmp_path / ".cache/phone-tools").iterdir()] == ["lock"]


def test_a_folder_may_be_given_and_is_not_believed_to_be_there(tmp_path):
    done = run(tmp_path, ADMIT_PHONE_TOOLS=str(tmp_path / "none"))
    assert done.returncode == 1 and "is not there" in done.stderr
    (tmp_path / "own/typescript").mkdir(parents=True)
    done = run(tmp_path, ADMIT_PHONE_TOOLS=str(tmp_path / "own"))
    assert (done.returncode, done.stdout) == (0, f"{tmp_path / 'own'}\n")
