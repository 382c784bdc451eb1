"""One market month on a simulated clock: the main job from the first signature to the last check."""
