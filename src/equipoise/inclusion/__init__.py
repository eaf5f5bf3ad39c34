"""Who is left out, and the least change that brings them in. Pure mathematics."""
