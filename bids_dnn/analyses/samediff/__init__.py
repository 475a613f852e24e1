"""Same or different: transfer learning on pairs of pictures."""
