//! What `cargo xtask test` does, step by step.

use std::ffi::OsString;
use std::io;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use crate::servers::Servers;
use crate::{layers, runtimes, suite, unsafety, workspace};

/// Which steps to run, and what to do after a failure.
#[derive(Default)]
pub(crate) struct Selection {
    pub(crate) keep_going: bool,
    /// Empty for all.
    pub(crate) only: Vec<String>,
}

struct Step {
    name: &'static str,
    action: Action,
}

/// What a step does.
enum Action {
    /// Runs cargo with one environment variable more, if any, and these arguments.
    Cargo(Option<(&'static str, &'static str)>, &'static [&'static str]),
    /// Runs cargo with these arguments and the URLs of servers for tests, which the first such step starts.
    CargoWithServers(&'static [&'static str]),
    /// The same on MySQL itself, if that can be had. Only when it is asked for by name.
    CargoWithMySql(&'static [&'static str]),
    /// Reads the repository's own files and answers with what breaks a rule.
    Rule(fn() -> io::Result<Vec<String>>),
}

const WARNINGS_DENIED: Option<(&str, &str)> = Some(("RUSTDOCFLAGS", "-D warnings"));

const STEPS: &[Step] = &[
    Step { name: "format", action: Action::Cargo(None, &["fmt", "--all", "--check"]) },
    Step { name: "layers", action: Action::Rule(layers::check) },
    Step { name: "unsafe", action: Action::Rule(unsafety::check) },
    Step {
        name: "lints",
        action: Action::Cargo(None, &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
    },
    Step {
        name: "pure-core",
        action: Action::Cargo(
            None,
            &["clippy", "-p", "retell", "--lib", "--no-default-features", "--", "-D", "warnings"],
        ),
    },
    Step { name: "no-runtime", action: Action::Rule(runtimes_below_core) },
    Step { name: "docs", action: Action::Cargo(WARNINGS_DENIED, &["doc", "--workspace", "--no-deps"]) },
    Step { name: "tests", action: Action::CargoWithServers(&["test", "--workspace", "--no-fail-fast"]) },
    Step {
        name: "tests-on-mysql",
        action: Action::CargoWithMySql(&["test", "-p", "retell-mysql", "--test", "mysql"]),
    },
    Step {
        name: "simulation",
        action: Action::Cargo(
            None,
            &["run", "-q", "-p", "retell-tester", "--bin", "simulate", "--", "--schedules", "1000"],
        ),
    },
    Step {
        name: "kills",
        action: Action::Cargo(
            None,
            &["run", "-q", "-p", "retell-campaign", "--", "--kills", "20", "--orders", "200"],
        ),
    },
    Step {
        name: "kills-of-two",
        action: Action::Cargo(
            None,
            &[
                "run",
                "-q",
                "-p",
                "retell-campaign",
                "--",
                "--kills",
                "20",
                "--orders",
                "200",
                "--processes",
                "2",
            ],
        ),
    },
    Step {
        name: "kills-on-servers",
        action: Action::CargoWithServers(&[
            "run",
            "-q",
            "-p",
            "retell-campaign",
            "--",
            "--server",
            "postgres",
            "--server",
            "mariadb",
            "--server",
            "redis",
            "--server",
            "redis-cluster",
            "--kills",
            "20",
            "--orders",
            "200",
            "--processes",
            "2",
        ]),
    },
];

/// The names of all steps, in order.
pub(crate) fn names() -> Vec<&'static str> {
    STEPS.iter().map(|step| step.name).collect()
}

/// Runs the selected steps and says at the end what came of them.
pub(crate) fn run(selection: &Selection) -> ExitCode {
    let began = Instant::now();
    let chosen = |step: &&Step| match selection.only.is_empty() {
        true => !matches!(step.action, Action::CargoWithMySql(_)),
        false => selection.only.iter().any(|name| name == step.name),
    };
    let steps: Vec<_> = STEPS.iter().filter(chosen).collect();
    let mut servers = Shared::wanted_by(&steps);
    let forgotten = suite::begin();
    let mut failed = Vec::new();
    let mut ran = 0;
    for (index, step) in steps.iter().enumerate() {
        println!("==> {} ({} of {})", step.name, index + 1, steps.len());
        let step_began = Instant::now();
        let problem = perform(&step.action, &mut servers).err();
        let took = seconds(step_began.elapsed());
        ran += 1;
        match problem {
            None => println!("    {} passed in {took}", step.name),
            Some(problem) => {
                println!("    {} FAILED in {took}: {problem}", step.name);
                failed.push(step.name);
                if !selection.keep_going {
                    break;
                }
            }
        }
    }
    if servers.running.is_some()
        && let Ok(table) = forgotten.and_then(|()| suite::table())
    {
        table.iter().for_each(|line| println!("    {line}"));
    }
    let took = seconds(began.elapsed());
    if failed.is_empty() {
        println!("xtask test: all {ran} steps passed in {took}");
        return ExitCode::SUCCESS;
    }
    println!("xtask test: FAILED in {took}: {} ({ran} of {} steps ran)", failed.join(", "), steps.len());
    ExitCode::FAILURE
}

/// The servers of all steps: the first that needs any starts those that any needs.
#[derive(Default)]
struct Shared {
    with_mysql: bool,
    running: Option<Servers>,
}

impl Shared {
    fn wanted_by(steps: &[&Step]) -> Self {
        let with_mysql = steps.iter().any(|step| matches!(step.action, Action::CargoWithMySql(_)));
        Self { with_mysql, running: None }
    }

    fn running(&mut self) -> Result<&Servers, String> {
        Ok(match &mut self.running {
            Some(running) => running,
            none => none.insert(Servers::start(self.with_mysql)?),
        })
    }
}

fn perform(action: &Action, servers: &mut Shared) -> Result<(), String> {
    match action {
        Action::Cargo(variable, arguments) => run_cargo(arguments, *variable),
        Action::CargoWithServers(arguments) | Action::CargoWithMySql(arguments) => {
            let on_mysql = matches!(action, Action::CargoWithMySql(_));
            let servers = servers.running()?;
            if on_mysql && !servers.have_mysql() {
                println!("    NOT TESTED: there is no MySQL here");
                return Ok(());
            }
            let passed = suite::path();
            let noting = [(suite::PASSED, passed.to_string_lossy())];
            let noting = noting.iter().map(|(name, path)| (*name, &**path));
            run_cargo(arguments, servers.variables().chain(noting))
        }
        Action::Rule(check) => {
            let found = check().map_err(|error| error.to_string())?;
            found.iter().for_each(|line| println!("    {line}"));
            if found.is_empty() { Ok(()) } else { Err(format!("{} found", found.len())) }
        }
    }
}

fn run_cargo<'a>(
    arguments: &[&str],
    variables: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<(), String> {
    let mut command = cargo();
    command.args(arguments).envs(variables);
    let status = command.status().map_err(|error| format!("cargo does not start: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("cargo {}: {status}", arguments.join(" "))) }
}

fn runtimes_below_core() -> io::Result<Vec<String>> {
    let mut tree = cargo();
    tree.args(["tree", "-p", "retell", "--no-default-features", "-e", "normal", "--prefix", "none"]);
    let output = tree.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(io::Error::other(format!("cargo tree: {}", output.status)));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(runtimes::named_in(&text).iter().map(|line| format!("core without `worker` needs {line}")).collect())
}

/// The cargo that runs this program, without standard input.
fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command.current_dir(workspace::root()).stdin(Stdio::null());
    command
}

pub(crate) fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_finds_something_fails_its_step() {
        let passes = |rule| perform(&Action::Rule(rule), &mut Shared::default()).is_ok();
        assert!(passes(|| Ok(Vec::new())));
        assert!(!passes(|| Ok(vec!["a.rs:1: wrong".to_owned()])));
        assert!(!passes(|| Err(io::Error::other("unreadable"))));
    }

    #[test]
    fn mysql_is_started_before_any_step_if_a_later_one_needs_it() {
        let with_mysql = |wanted: &[&str]| {
            let steps: Vec<_> = STEPS.iter().filter(|step| wanted.contains(&step.name)).collect();
            Shared::wanted_by(&steps).with_mysql
        };
        assert!(with_mysql(&["tests", "tests-on-mysql"]));
        assert!(!with_mysql(&["tests", "kills-on-servers"]));
    }

    #[test]
    fn step_names_are_unique() {
        let mut names = names();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), STEPS.len());
    }
}
