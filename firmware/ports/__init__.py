"""The ports of each board. Only `main.py` imports them, and they import nothing but `admit_protocol`."""
