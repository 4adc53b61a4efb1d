//! Recorded histories: replayed against today's code.
