"""What follows from a game: equilibria, their certificates and what is known of uniqueness."""
