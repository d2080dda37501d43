"""Keeping processes running on one machine: started in order, watched, restarted, ended; whatever they do."""
