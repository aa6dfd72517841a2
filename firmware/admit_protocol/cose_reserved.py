"""Purposes of signatures that are set aside for what admit does not do yet (docs/SPEC.md section 3.2).

A signature of one purpose never passes for another, so nobody else may take these words. Whoever comes to sign for one
of them moves it to cose.py.
"""

RELEASE = b"admit:release"
RECEIPT = b"admit:receipt"
VOUCHER = b"admit:voucher"
WIPE_CERTIFICATE = b"admit:wipe-certificate"
