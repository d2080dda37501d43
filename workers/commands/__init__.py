"""The subcommands of `msk`: one file or folder each, which defines a click object named `command`."""
