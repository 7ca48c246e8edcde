"""How a tape runs: plans, and the machines that carry them out."""
