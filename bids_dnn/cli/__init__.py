"""The two doors: bids_dnn and bids_dnn_tools."""
