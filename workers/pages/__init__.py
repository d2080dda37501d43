"""Pages for people, rendered on the server: a template and a function each."""
