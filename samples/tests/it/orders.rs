//! Runs the program on small inputs.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

const HEADER: &str = "order,customer,sku,quantity,amount,confirmed_by,after_ms,answer,fails\n";
const SHIPPED: &str = "a,Ada,quill,1,12.50,Ada,0,yes,none\n";
const REJECTED: &str = "b,Ada,quill,1,12.50,Ada,0,no,none\n";
const NEVER_CHARGED: &str = "c,Ada,quill,1,12.50,Ada,0,yes,charge\n";
const NEVER_SHIPPED: &str = "d,Ada,quill,1,12.50,Ada,0,yes,ship\n";
const CHARGED_LATER: &str = "e,Ada,quill,1,12.50,Ada,0,yes,charge:2\n";
const UNCONFIRMED: &str = "f,Ada,quill,1,12.50,nobody,,,none\n";

/// A directory in which `orders` runs.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs `orders` with these arguments, and with this text on standard input.
    fn run(&self, arguments: &str, input: &str) -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_orders"))
            .args(arguments.split_whitespace())
            .args(["--pace", "0", "--acks", "orders.acks"])
            .current_dir(self.0.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }
}

#[track_caller]
fn check(output: &Output, status: i32, says: &str) {
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.code() == Some(status) && said.contains(says), "{}: {said}", output.status);
}

#[test]
fn orders_end_as_their_lines_say_and_stay_so() {
    let desk = Desk::new();
    let csv = [HEADER, SHIPPED, REJECTED, NEVER_CHARGED, NEVER_SHIPPED, CHARGED_LATER].concat();
    let summary = "5 orders: 2 shipped, 1 rejected, 0 timed out, 2 failed and made up for";
    check(&desk.run("-", &csv), 0, summary);
    let ledger = fs::read_to_string(desk.path("orders.ledger")).unwrap();

    let again = desk.run("-", &csv);
    check(&again, 0, summary);
    check(&again, 0, "5 of them had ended before");
    assert_eq!(fs::read_to_string(desk.path("orders.ledger")).unwrap(), ledger, "nothing is done again");
    check(&desk.run("check -", &csv), 0, "every order ended, every effect counts once");
}

#[test]
fn an_order_that_nobody_confirms_times_out() {
    let desk = Desk::new();
    let csv = [HEADER, UNCONFIRMED].concat();
    check(&desk.run("- --confirm-within 5", &csv), 0, "1 timed out");
    check(&desk.run("check -", &csv), 0, "every order ended");
}

#[test]
fn a_malformed_line_is_named_and_the_others_run() {
    let desk = Desk::new();
    let csv = [HEADER, SHIPPED, "x,Ada,quill,many,1,Ada,0,yes,none\n", REJECTED].concat();
    let output = desk.run("-", &csv);
    check(&output, 3, "line 3: quantity \"many\" is not a whole number above 0");
    check(&output, 3, "2 orders: 1 shipped, 1 rejected");
}

#[test]
fn namespaces_of_one_store_keep_orders_apart() {
    let desk = Desk::new();
    let here = "--store sqlite:other.db --namespace here";
    check(&desk.run(&format!("- {here}"), SHIPPED), 0, "1 shipped");
    check(&desk.run("check - --store sqlite:other.db", SHIPPED), 1, "a: it was never started");
    check(
        &desk.run(&format!("check - {here}"), SHIPPED),
        0,
        "acknowledged: 1 starts, 1 confirmations, 1 ends",
    );
}

#[test]
fn memory_needs_no_database() {
    let desk = Desk::new();
    check(&desk.run("- --store memory", SHIPPED), 0, "1 shipped");
    assert!(!desk.path("orders.db").exists());
    check(&desk.run("check - --store memory", SHIPPED), 1, "leaves nothing behind to check");
}

#[test]
fn a_lost_effect_or_acknowledgement_is_found() {
    let desk = Desk::new();
    check(&desk.run("-", SHIPPED), 0, "1 shipped");
    let ledger = fs::read_to_string(desk.path("orders.ledger")).unwrap();
    fs::write(desk.path("orders.ledger"), ledger.replace("a/ship\tship\ta\t1250\n", "")).unwrap();
    check(&desk.run("check -", SHIPPED), 1, "a: it ended as Shipped, but its effects are");
    fs::write(desk.path("orders.ledger"), ledger).unwrap();
    let mut acks = fs::read_to_string(desk.path("orders.acks")).unwrap();
    acks.push_str("z/started\tstarted\tz\t0\n");
    fs::write(desk.path("orders.acks"), acks).unwrap();
    check(&desk.run("check -", SHIPPED), 1, "z: its start was acknowledged, but there is no run");
}

#[test]
fn files_of_other_programs_are_refused() {
    let desk = Desk::new();
    fs::write(desk.path("notes"), "no database at all, but a long enough text ".repeat(100)).unwrap();
    check(&desk.run("- --db notes", SHIPPED), 1, "cannot use the store");
    check(&desk.run("- --ledger notes", SHIPPED), 1, "ledger notes is damaged");
    check(&desk.run("missing.csv", ""), 1, "cannot read orders from missing.csv");
    check(&desk.run("--pase 3", ""), 2, "Usage");
    check(&desk.run("--store postgre://db", ""), 2, "no store has URLs that begin with `postgre:`");
    check(&desk.run("- --store redis://127.0.0.1:1", ""), 1, "cannot use the store");
}
