"""Assigns many demands to clusters at once, under capacity, price and distance limits (design §2).

`market match` shows each demand what would fit it and reserves nothing; the dispatcher divides the stock: what
it gives to one demand, no other demand of the same run gets. A *cluster* is what one lessor offers in one
place. A demand goes whole to one offer, as a match does. Read in this order: `sides` (what stands on either
side), `distance`, `ways` (what fits), `problem` (the same as integers), `solver` (HiGHS), `fill` (exact
integers again), `plan` (all of it), `reasons` and `report` (who got what and why).
"""
