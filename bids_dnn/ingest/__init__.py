"""The door: what lies on disk becomes `Responses`."""
