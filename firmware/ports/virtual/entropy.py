"""The virtual kiosk's randomness: the PC's, which is always live."""

from ports.entropy import Entropy as Entropy
