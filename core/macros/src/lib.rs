//! The attribute macros of `retell`.
