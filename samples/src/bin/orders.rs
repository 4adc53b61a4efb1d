//! `orders`: one workflow for each order of a file; kill it at any moment and start it again.

use std::process::ExitCode;

fn main() -> ExitCode {
    retell_samples::orders::main(std::env::args_os().skip(1))
}
