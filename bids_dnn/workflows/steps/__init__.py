"""Plain typed functions: read, call one pure function, write. No nipype here."""
