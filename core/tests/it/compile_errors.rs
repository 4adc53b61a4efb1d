//! What misuse of the macros and of the typed calls looks like to the compiler's reader.
//!
//! Each `tests/ui/*.rs` must fail to compile with exactly the text beside it. After a wanted change, or a new compiler:
//! `TRYBUILD=overwrite cargo test -p retell --test it compile_errors`, then read the difference.

#[test]
fn misuse_is_a_readable_error_at_the_right_place() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
