"""Where the rooms meet: the plan, its graph of nodes, and the run."""
