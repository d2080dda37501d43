"""The subcommands of `msk`, one a file or folder, each a click object named `command`."""
