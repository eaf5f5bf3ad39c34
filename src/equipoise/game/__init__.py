"""What the situation is: groups, agents, terms and the game they make. Never solves."""
