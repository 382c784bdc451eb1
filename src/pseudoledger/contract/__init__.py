"""What statements mean: the book folded from them, the rules that judge them, released rule sets."""
