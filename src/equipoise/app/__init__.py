"""The dashboard: one page on this machine, redrawn as incentives move."""
