"""The one table of commands: what is typed, the function that does it, and what help says of it.

A command's module is imported when the command is run or its own help is asked for, never to list it.
"""

COMMANDS = {
    "init": ("admit_cli.site_commands:init", "Make a site: its authority, its registry, its first admin"),
    "user add": ("admit_cli.user_commands:add", "Add somebody who may be granted something"),
    "user list": ("admit_cli.user_commands:list_users", "List users, their keys and grants"),
    "grant": ("admit_cli.grant_commands:grant", "Let a user do something, on some devices, in some hours"),
    "revoke": ("admit_cli.grant_commands:revoke", "Take grants back"),
    "grants": ("admit_cli.grant_commands:grants", "List grants: who may do what, where and until when"),
    "flash": ("admit_cli.flash_commands:flash", "Write MicroPython to a board"),
    "provision": ("admit_cli.provision_commands:provision", "Make a device of a board, over its cable"),
    "factory": ("admit_cli.factory_command:factory", "Make devices of a hub full of boards, at once"),
    "login": ("admit_cli.visit_commands:login", "Log in at a device"),
    "routines": ("admit_cli.visit_commands:routines", "List what you may do at a device"),
    "invoke": ("admit_cli.visit_commands:invoke", "Do it: open a door, say"),
    "journal": ("admit_cli.admin_commands:journal", "Show what happened at a device, verified"),
    "deliver": ("admit_cli.admin_commands:deliver", "Carry revocations to devices that have not heard of them"),
    "health": ("admit_cli.health_command:health", "Ask a device how it is"),
    "reboot": ("admit_cli.provision_commands:reboot", "Have a device restart"),
    "harden": ("admit_cli.flash_commands:harden", "Burn a board's eFuses, by a plan that was rehearsed"),
    "labels": ("admit_cli.label_commands:labels", "Print labels of devices, and sealed ones of new boards"),
    "doctor": ("admit_cli.doctor_commands:doctor", "What is missing on this machine, and what helps"),
    "ports": ("admit_cli.doctor_commands:ports", "List serial ports, and what runs on them"),
    "devices": ("admit_cli.device_commands:devices", "List the site's devices"),
    "why": ("admit_cli.why_command:why", "Would it be allowed, and by what? Or why not?"),
    "wallet new": ("admit_cli.wallet_commands:new", "Make your own keys, on your own machine"),
    "wallet accept": ("admit_cli.wallet_commands:accept", "Take an invitation: which site to trust, and a grant"),
    "virtual": ("admit_cli.virtual_command:virtual", "Run a virtual kiosk on this machine"),
    "demo": ("admit_cli.demo_command:demo", "Watch all of it at work, on one screen"),
}

GROUPS = {
    "user": "Users: who may be granted something",
    "wallet": "Wallets: your own keys, on a machine that has no site folder",
}
