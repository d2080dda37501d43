"""Keeps processes running on one machine, whatever they do: starts them in order, restarts and ends them.

The packages supervisor, honcho and circus were tried in its place. None of them sends a second signal before SIGKILL,
or takes its processes along when it is itself killed, and the first two do not wait until a service is ready. What
supervisor lacks would take as many lines to add as are here.
"""
