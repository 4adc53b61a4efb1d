//! retell conformance.
