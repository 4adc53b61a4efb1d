//! retell sqlite.
