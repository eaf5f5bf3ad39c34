"""From a mixture to behaviour: models that answer as groups of people do, and ways to mix them."""
