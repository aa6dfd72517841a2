"""From a board in the hand to a device of the site: what a technician's laptop does over a cable."""
