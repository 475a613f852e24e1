"""Pages that a reader opens by a double click: what was found, and how."""
