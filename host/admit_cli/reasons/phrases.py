"""What is said of several reasons."""

IMPOSTOR = "this may be an impostor"
STAY_AWAY = "do not use it, and tell an admin: somebody may have put it there to catch visitors"
KEEP = "keep a copy as proof, and find out who could write to the registry or had the device in hand"
