//! Names that people give themselves.
