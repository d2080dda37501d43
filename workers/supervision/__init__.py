"""Keeping processes running on one machine: started in order, watched, restarted, ended; whatever they do.

The packages supervisor, honcho and circus were tried in its place. None of them waits for a service's own readiness
check before it starts the next, sends a second signal before SIGKILL, or takes its processes along when it is killed
itself; what supervisor lacks takes as many lines to add as are here.
"""
