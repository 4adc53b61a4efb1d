//! The repository's commands. `cargo xtask test` is the README's test command and all that CI runs.
//!
//! Depends on little, so that it is there at once. Rules that only this repository has (the order of the layers, no
//! runtime under the pure part, lints in force everywhere) live here as pure functions with tests.

#[cfg(test)]
mod faults;
mod layers;
mod runtimes;
mod servers;
mod source;
mod steps;
mod suite;
mod unsafety;
mod workspace;

use std::process::ExitCode;

const USAGE: &str = "\
The repository's commands.

Usage: cargo xtask test [--keep-going] [--only STEP]...

test             runs every check: format, lints, documentation, tests, kill campaign
  --keep-going   runs the remaining steps after one has failed
  --only STEP    runs this step only; may be given several times";

/// What the command line asks for.
enum Request {
    Test(steps::Selection),
    Help,
}

fn main() -> ExitCode {
    match parse(std::env::args().skip(1)) {
        Ok(Request::Test(selection)) => steps::run(&selection),
        Ok(Request::Help) => {
            println!("{USAGE}\n\nSteps: {}", steps::names().join(", "));
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("{problem}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Request, String> {
    match arguments.next().as_deref() {
        Some("test") => {}
        None | Some("help" | "--help" | "-h") => return Ok(Request::Help),
        Some(other) => return Err(format!("there is no command {other:?}")),
    }
    let mut selection = steps::Selection::default();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--keep-going" => selection.keep_going = true,
            "--help" | "-h" => return Ok(Request::Help),
            "--only" => {
                let name = arguments.next().ok_or("--only wants a step's name")?;
                if !steps::names().contains(&name.as_str()) {
                    return Err(format!(
                        "there is no step {name:?}; there are {}",
                        steps::names().join(", ")
                    ));
                }
                selection.only.push(name);
            }
            other => return Err(format!("there is no option {other:?}")),
        }
    }
    Ok(Request::Test(selection))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str) -> Result<Request, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn unknown_words_are_refused() {
        assert!(check("tset").is_err());
        assert!(check("test --kep-going").is_err());
        assert!(check("test --only nothing").is_err());
        assert!(check("test --only").is_err());
    }

    #[test]
    fn options_select_steps() {
        let Ok(Request::Test(selection)) = check("test --keep-going --only format --only tests") else {
            panic!("it is well formed");
        };
        assert!(selection.keep_going);
        assert_eq!(selection.only, ["format", "tests"]);
    }

    #[test]
    fn without_a_command_there_is_help() {
        assert!(matches!(check(""), Ok(Request::Help)));
    }
}
