"""Bundled panels: one small specification each."""
