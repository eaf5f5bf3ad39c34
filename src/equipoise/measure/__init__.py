"""From answers to numbers: whose views stand behind a model's or a corpus's answers."""
