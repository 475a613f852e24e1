"""From the tables of participants to what holds for the group."""
