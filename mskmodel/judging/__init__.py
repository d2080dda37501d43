"""How good a model is: figures with intervals, the gate, the pages that show them, and what to look at next."""
