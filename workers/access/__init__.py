"""Who may: roles and the gate before every route, accounts, tokens, sessions, and the proxy that signs people in."""
