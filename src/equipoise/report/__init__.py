"""Tables, figures and the report page, each a function of one result."""
