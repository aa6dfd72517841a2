"""The ports of each board: what they share here, each board's own in its folder. Only `start.py` imports them, and they
import nothing but `admit_protocol`.
"""
