//! retell memory.
