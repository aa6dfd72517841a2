"""Commissioning and a login fit a heap of 288 KB of 64-bit objects; on 32 bits, as on an ESP32: tests/wasm."""

import asyncio

from admit_protocol import coap
from kiosks import compile_firmware, kiosk, visiting


def test_a_login_runs_in_288_kb_from_compiled_files(tmp_path):
    asyncio.run(login(tmp_path, compile_firmware(tmp_path / "firmware")))


async def login(tmp_path, firmware):
    async with kiosk(tmp_path, firmware=firmware, heap="288k") as (site, board, radio):
        for _ in range(3):
            async with visiting(site, "alice", radio) as session:
                await session.request(coap.POST, "/login")
                await board.expect("status logged in")
                await session.request(coap.DELETE, "/login")
        assert not any("MemoryError" in line for line in board.console)
