"""tools/chromium: a browser that is there is named, one that is not is a failure."""

import os
import subprocess

from imports import ROOT

TOOL = ROOT / "tools/chromium"


def test_it_prints_the_path_of_a_browser_that_runs():
    path = subprocess.run([TOOL], check=True, capture_output=True, text=True).stdout.strip()
    assert os.access(path, os.X_OK)


def test_another_browser_may_be_named(tmp_path):
    browser = tmp_path / "browser"
    browser.write_text("#!/bin/sh\n")
    browser.chmod(0o755)
    settings = os.environ | {"ADMIT_CHROMIUM": str(browser)}
    assert subprocess.run([TOOL], env=settings, check=True, capture_output=True, text=True).stdout == f"{browser}\n"


def test_a_browser_that_is_not_there_is_a_failure(tmp_path):
    settings = os.environ | {"ADMIT_CHROMIUM": str(tmp_path / "none")}
    done = subprocess.run([TOOL], env=settings, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == "" and "ADMIT_CHROMIUM" in done.stderr


def test_make_test_sees_to_it_before_any_test():
    recipe = (ROOT / "Makefile").read_text().partition("\ntest: ")[2].partition("\n\n")[0]
    assert recipe.index("tools/chromium") < recipe.index("/pytest")
