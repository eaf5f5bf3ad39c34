"""Tables, figures and one page from the result of a study."""
