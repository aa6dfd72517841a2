"""Tests here are coroutines; they, the browser and the kiosks' air share one event loop, which lives as long as a
worker of pytest does. So do the browser and the kiosk: a test gets a phone of its own.
"""

import asyncio
import inspect

import pytest

from browser.harness import Browser
from browser.place import Place
from sites import forget_settings

LIMIT_S = 90


@pytest.fixture(scope="session")
def loop():
    with asyncio.Runner() as runner:
        yield runner


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Run a coroutine of a test in the loop."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    work = pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names})
    pyfuncitem._request.getfixturevalue("loop").run(limited(work))
    return True


async def limited(work):
    """Nothing here waits longer: what hangs shows where."""
    async with asyncio.timeout(LIMIT_S):
        await work


def pytest_collection_modifyitems(items):
    for item in items:
        if inspect.iscoroutinefunction(getattr(item, "obj", None)) and "loop" not in item.fixturenames:
            item.fixturenames.insert(0, "loop")


@pytest.fixture(scope="session")
def browser(loop, tmp_path_factory):
    """The browser, with the page that admit phone serves."""
    made = Browser(tmp_path_factory.mktemp("browser"))
    loop.run(made.__aenter__())
    yield made
    loop.run(made.__aexit__(None, None, None))


@pytest.fixture(scope="session")
def place(loop, tmp_path_factory):
    """A site and its kiosk-1 under real MicroPython, on the air."""
    made = Place(tmp_path_factory.mktemp("place"))
    loop.run(made.__aenter__())
    yield made
    loop.run(made.__aexit__(None, None, None))


@pytest.fixture(autouse=True)
def nobody_near(request, loop):
    """Each test begins with no kiosk near the browser, and with power for kiosk-1."""
    yield
    if "place" in request.fixturenames:
        loop.run(request.getfixturevalue("place").power())
    if "browser" in request.fixturenames:
        loop.run(request.getfixturevalue("browser").bluetooth.clear())


@pytest.fixture(autouse=True)
def nobody_at_home(tmp_path, monkeypatch):
    forget_settings(monkeypatch, tmp_path / "home")
