"""How a model is asked, and how its answers are kept. Knows nothing of games, panels or groups."""
