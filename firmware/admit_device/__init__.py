"""How a device behaves. It receives its ports (radio, cable, storage, clock, outputs) through constructors and imports
none of them, so the same code runs on an ESP32, on a PC and in a test. Read device.py first.
"""
