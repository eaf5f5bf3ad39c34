"""What the documentation is made with: mathematics, generated pages, notebooks."""
