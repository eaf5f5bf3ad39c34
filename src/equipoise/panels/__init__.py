"""What humans said: survey panels and the shares, agreement, appeal and kernel in them."""
