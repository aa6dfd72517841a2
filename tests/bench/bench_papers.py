"""What papers weigh on the wire: those that people hold, and what a courier carries for each change."""

from figures import figure

from paper_sizes import sizes


def main():
    return [figure(*each) for each in sizes()]
