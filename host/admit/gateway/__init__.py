"""The other way in: CoAP over WebSockets on one side, kiosks by BLE, UDP or serial cable on the other. docs/SPEC.md.

It forwards and decides nothing: no key, no wallet, no site, no page. server.py listens; a visitor.py is one WebSocket;
kiosks.py holds the links, turns.py whose turn it is on a shared one; answers.py is what the gateway says for itself;
limits.py keeps any one from shutting out the others.
"""
