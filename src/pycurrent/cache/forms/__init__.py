"""How values of each type are written as canonical JSON, and read back: see `form`."""
