//! The order of the layers: inside `core`, imports run one way, from the top down.
//!
//! Reads source as tokens and resolves `crate::`, `$crate::` and `super::` paths to the top module that they name.
//! `lib.rs` is exempt: it shows the layers to the outside.

use std::io;

use crate::source::{Token, tokens};
use crate::workspace;

/// A top module of `core`, what it may import, and whether it may name an async runtime.
struct Layer {
    name: &'static str,
    imports: &'static [&'static str],
    async_runtime: bool,
}

const fn pure(name: &'static str, imports: &'static [&'static str]) -> Layer {
    Layer { name, imports, async_runtime: false }
}

const fn running(name: &'static str, imports: &'static [&'static str]) -> Layer {
    Layer { name, imports, async_runtime: true }
}

const BELOW_WORKER: &[&str] = &[
    "vocabulary",
    "history",
    "write",
    "command",
    "replay",
    "commit",
    "workflow",
    "activity",
    "around",
    "backend",
    "clock",
    "host",
    "worker",
    "client",
];

/// The layers from the bottom up. A new top module of `core` needs a line here.
const LAYERS: &[Layer] = &[
    pure("vocabulary", &[]),
    pure("history", &["vocabulary"]),
    pure("write", &["vocabulary", "history"]),
    pure("command", &["vocabulary", "history"]),
    pure("replay", &["vocabulary", "history", "write", "command"]),
    pure("commit", &["vocabulary", "history", "write", "command", "replay"]),
    pure("workflow", &["vocabulary", "history", "command", "replay", "activity"]),
    pure("activity", &["vocabulary", "history", "command"]),
    pure("around", &["vocabulary", "history", "replay", "workflow", "activity"]),
    pure("backend", &["vocabulary", "history", "write"]),
    // Its system clock sleeps on the runtime's timer, when the feature `worker` brings one.
    running("clock", &["vocabulary"]),
    running("host", &[]),
    running("worker", BELOW_WORKER),
    running("client", BELOW_WORKER),
    running("orchestrator", BELOW_WORKER),
    pure("guide", &[]),
];

/// Crates that are async runtimes, or parts of one.
const RUNTIMES: &[&str] = &["tokio", "async_std", "smol", "mio"];

/// The imports of `core` that do not go down, each with its file, line and rule.
pub(crate) fn check() -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for (path, text) in workspace::sources("core/src")? {
        let inside = path.strip_prefix("core/src/").unwrap_or(&path);
        for (line, rule) in upward_imports(inside, &text) {
            found.push(format!("{path}:{line}: {rule}"));
        }
    }
    Ok(found)
}

/// The broken rules of one file, by its path inside `core/src`, each with its line.
fn upward_imports(path: &str, text: &str) -> Vec<(usize, String)> {
    if path == "lib.rs" {
        return Vec::new();
    }
    let module = module_path(path);
    let Some(layer) = LAYERS.iter().find(|layer| layer.name == module[0]) else {
        let known: Vec<_> = LAYERS.iter().map(|layer| layer.name).collect();
        return vec![(1, format!("`{}` is no layer; the layers are {}", module[0], known.join(", ")))];
    };
    let tokens = tokens(text);
    let mut broken = Vec::new();
    for (line, target) in named_modules(&module, &tokens) {
        if target != layer.name && !layer.imports.contains(&target) {
            let allowed = if layer.imports.is_empty() { "nothing" } else { &layer.imports.join(", ") };
            broken.push((line, format!("`{}` imports `{target}`; it may import {allowed}", layer.name)));
        }
    }
    for (line, runtime) in named_runtimes(&tokens) {
        if !layer.async_runtime {
            broken.push((line, format!("`{}` names `{runtime}`; it must know no async runtime", layer.name)));
        }
    }
    broken.sort();
    broken
}

/// `history/codec.rs` is the module `history::codec`, `history/mod.rs` is `history`.
fn module_path(path: &str) -> Vec<&str> {
    let stem = path.strip_suffix(".rs").unwrap_or(path);
    stem.strip_suffix("/mod").unwrap_or(stem).split('/').collect()
}

/// The top modules that the paths of a file name, each with its line.
fn named_modules<'a>(module: &[&'a str], tokens: &[Token<'a>]) -> Vec<(usize, &'a str)> {
    let mut found = Vec::new();
    let mut inline = InlineModules::default();
    let mut at = 0;
    while at < tokens.len() {
        inline.pass(tokens, at);
        let begins_path = at == 0 || tokens[at - 1].text != "::";
        match tokens[at].text {
            "crate" if begins_path && is(tokens, at + 1, "::") => heads(tokens, at + 2, &mut found),
            "super" if begins_path && is(tokens, at + 1, "::") => {
                let mut depth = module.len() + inline.depth();
                while is(tokens, at, "super") && is(tokens, at + 1, "::") {
                    depth = depth.saturating_sub(1);
                    at += 2;
                }
                match depth {
                    0 => heads(tokens, at, &mut found),
                    _ => found.push((tokens[at - 1].line, module[0])),
                }
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

fn is(tokens: &[Token<'_>], at: usize, text: &str) -> bool {
    tokens.get(at).is_some_and(|token| token.text == text)
}

/// The first words at `at`: one, or those of a group in braces.
fn heads<'a>(tokens: &[Token<'a>], at: usize, found: &mut Vec<(usize, &'a str)>) {
    let Some(first) = tokens.get(at) else { return };
    if first.text != "{" {
        found.push((first.line, first.text));
        return;
    }
    let mut depth = 0_usize;
    for pair in tokens[at..].windows(2) {
        match pair[0].text {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        match depth {
            0 => return,
            1 if matches!(pair[0].text, "{" | ",") && pair[1].text != "}" => {
                found.push((pair[1].line, pair[1].text));
            }
            _ => {}
        }
    }
}

/// Follows `mod name { ... }`, inside which `super` means one level more.
#[derive(Default)]
struct InlineModules {
    braces: Vec<bool>,
}

impl InlineModules {
    fn pass(&mut self, tokens: &[Token<'_>], at: usize) {
        match tokens[at].text {
            "{" => self.braces.push(at >= 2 && tokens[at - 2].text == "mod"),
            "}" => {
                self.braces.pop();
            }
            _ => {}
        }
    }

    fn depth(&self) -> usize {
        self.braces.iter().filter(|is_module| **is_module).count()
    }
}

fn named_runtimes<'a>(tokens: &[Token<'a>]) -> Vec<(usize, &'a str)> {
    let named = |pair: &&[Token<'a>]| RUNTIMES.contains(&pair[0].text) && pair[1].text == "::";
    tokens.windows(2).filter(named).map(|pair| (pair[0].line, pair[0].text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_file(path: &str, text: &str, expected: &[(usize, &str)]) {
        let found = upward_imports(path, text);
        let lines: Vec<_> = found.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, expected.iter().map(|(line, _)| *line).collect::<Vec<_>>(), "{found:?}");
        for ((_, rule), (_, part)) in found.iter().zip(expected) {
            assert!(rule.contains(part), "{rule:?} does not say {part:?}");
        }
    }

    #[test]
    fn core_imports_go_down_only() {
        let found = check().unwrap();
        assert!(found.is_empty(), "{}", found.join("\n"));
    }

    #[test]
    fn imports_of_lower_layers_pass() {
        check_file("history/event.rs", "use crate::vocabulary::{EventId, Payload};", &[]);
        check_file("worker/mod.rs", "use crate::replay::Machine; use tokio::sync::mpsc;", &[]);
        check_file("lib.rs", "pub use crate::orchestrator::Orchestrator;", &[]);
    }

    #[test]
    fn a_planted_upward_import_is_found() {
        let rule = "`history` imports `replay`; it may import vocabulary";
        check_file("history/event.rs", "\nuse crate::replay::Machine;", &[(2, rule)]);
        check_file(
            "history/event.rs",
            "use crate::{\n replay::{self, a::b},\n vocabulary::c};",
            &[(2, rule)],
        );
        check_file("history/event.rs", "fn f() -> crate::replay::Machine {}", &[(1, rule)]);
        check_file("history/event.rs", "macro_rules! m { () => { $crate::replay::f() } }", &[(1, rule)]);
        check_file("history/event.rs", "use super::super::replay::Machine;", &[(1, rule)]);
        check_file("history/mod.rs", "mod tests {\n use super::super::replay::Machine;\n}", &[(2, rule)]);
    }

    #[test]
    fn seams_and_replay_stay_apart() {
        check_file("backend/mod.rs", "use crate::replay::Machine;", &[(1, "`backend` imports `replay`")]);
        check_file("backend/mod.rs", "use crate::clock::Clock;", &[(1, "`backend` imports `clock`")]);
        for target in ["workflow", "backend", "worker"] {
            let rule = format!("`replay` imports `{target}`");
            check_file("replay/mod.rs", &format!("use crate::{target}::A;"), &[(1, &rule)]);
        }
    }

    #[test]
    fn a_runtime_is_found_below_the_worker() {
        check_file("replay/mod.rs", "use tokio::time::sleep;", &[(1, "`replay` names `tokio`")]);
        check_file("replay/mod.rs", "#[tokio::test]\nasync fn f() {}", &[(1, "`replay` names `tokio`")]);
        check_file("clock.rs", "async fn f() { tokio::time::sleep(d).await }", &[]);
    }

    #[test]
    fn comments_texts_and_own_parents_pass() {
        check_file("history/mod.rs", "//! See [`crate::worker`].\nconst A: &str = \"crate::worker\";", &[]);
        check_file("history/a/b.rs", "use super::super::c; use super::d;", &[]);
        check_file("history/a.rs", "pub(super) fn f() {}", &[]);
        check_file("history/a.rs", "mod tests { use super::*; use super::super::b; }", &[]);
    }

    #[test]
    fn a_module_without_a_layer_is_found() {
        check_file("helpers/mod.rs", "", &[(1, "`helpers` is no layer")]);
    }
}
