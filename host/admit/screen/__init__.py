"""The kiosk's own screen: a page on a PC beside the board, fed over the board's cable (`admit kiosk-screen`).

feed.py reads the cable, shown.py makes of it what is to be seen, server.py hands that to the page in page/.
"""
