"""The routines of the virtual kiosk: a door that closes by itself, and two that show what routines can be.

A site copies this file, changes it, and hands it over with `admit provision --routines FILE`.
"""

from admit_device.routines import Choice, Flag, Integer, output, routine

door = output("door", at_power_loss="falls shut and locks", safe="closed")
lamp = output("lamp", at_power_loss="goes dark", safe="off")


@routine("Open the door; it closes by itself.", outputs=(door,), seconds=Integer(1, 30, default=5))
def open(kiosk, seconds):
    kiosk.set("door", "open")
    kiosk.after(seconds, lambda: kiosk.set("door", "closed"))
    return seconds


@routine("Light the lamp.", outputs=(lamp,), colour=Choice("white", "red", default="white"), on=Flag(default=True))
def light(kiosk, colour, on):
    kiosk.set("lamp", colour if on else "off")


@routine("Set the scale's zero point.", grams=Integer(0, 5000))
def calibrate(kiosk, grams):
    return grams
