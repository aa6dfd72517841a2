"""The routines of the board under test: one with an output, which a relay follows if the board's pins name one."""

from admit_device.routines import Integer, output, routine

door = output("door", at_power_loss="falls shut and locks", safe="closed")


@routine("Open the door; it closes by itself.", outputs=(door,), seconds=Integer(1, 30, default=1))
def open(kiosk, seconds):
    kiosk.set("door", "open")
    kiosk.after(seconds, lambda: kiosk.set("door", "closed"))
    return seconds


@routine("Set the scale's zero point.", grams=Integer(0, 5000))
def calibrate(kiosk, grams):
    return grams
