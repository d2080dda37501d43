"""The subcommands of `msk`, one a file, each a click object named `command`."""
