"""The closed loop: agents post, real respondents react, agents adapt, and theory is held to it."""
