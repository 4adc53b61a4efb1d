//! A divergence as text: a head, the two columns, the places, the remedy.

use std::fmt::{Formatter, Result};

use super::{Divergence, Row, Verdict};
use crate::replay::error::TaskError;

/// The width of one column. With the mark, the number and the sign between, a line has 117.
const COLUMN: usize = 52;
/// How many lines a cell may take that differs from the other side.
const CELL_LINES_MAX: usize = 4;
/// How much of a cell's beginning stays when its middle is left out.
const CELL_HEAD: usize = 24;
/// How much of what both sides have in common stands before their first difference, if a middle is left out.
const FOCUS_BEFORE: usize = 8;
/// What stands under `remedy:`.
const REMEDY_INDENT: &str = "         ";
/// How many rows are shown from the place on where the sides part.
const ROWS_AFTER_MAX: usize = 14;

pub(super) fn divergence(f: &mut Formatter<'_>, told: &Divergence) -> Result {
    match &told.error {
        TaskError::Nondeterminism(_) => {
            writeln!(f, "{}: nondeterminism at event {}", told.workflow, told.event_id)?;
            writeln!(f, "run {}", told.run)?;
            table(f, told)?;
        }
        error => {
            writeln!(f, "{}", wrapped(&format!("{}: {error}", told.workflow), ""))?;
            writeln!(f, "run {}\n", told.run)?;
            if let Some(event) = &told.event {
                let place = told.held_at.as_ref().map(|place| format!(" @ {place}")).unwrap_or_default();
                writeln!(f, "event {}: {}{place}", told.event_id, cut(event, 2 * COLUMN, 0))?;
            }
        }
    }
    places(f, told)?;
    // The last line has no end: whoever prints this ends it.
    match told.remedy() {
        Some(remedy) => write!(f, "remedy:  {}", wrapped(remedy, REMEDY_INDENT)),
        None => Ok(()),
    }
}

fn table(f: &mut Formatter<'_>, told: &Divergence) -> Result {
    writeln!(f, "\n{:10}{:COLUMN$}   what today's code asks for", "", "what history holds")?;
    if told.before > 0 {
        writeln!(f, "{:10}... {} before, on which both agree", "", events(told.before))?;
    }
    let parted = told.rows.iter().position(|row| row.verdict.differs()).unwrap_or(told.rows.len());
    let shown = told.rows.len().min(parted + ROWS_AFTER_MAX);
    for (index, shown) in told.rows[..shown].iter().enumerate() {
        row(f, told, shown, index == parted)?;
    }
    let hidden = &told.rows[shown..];
    let (held, asked) = (
        hidden.iter().filter(|row| row.held.is_some()).count(),
        hidden.iter().filter(|row| row.asked.is_some()).count(),
    );
    if held + told.after + asked > 0 {
        let left = if held + told.after > 0 {
            format!("... and {}", more(held + told.after))
        } else {
            String::new()
        };
        let right = if asked > 0 { format!("... and {asked} more") } else { String::new() };
        writeln!(f, "{}", format!("{:10}{left:COLUMN$}   {right}", "").trim_end())?;
    }
    writeln!(f, "\n{:10}! differs   < only in history   > only in today's code\n", "")
}

fn row(f: &mut Formatter<'_>, told: &Divergence, row: &Row, parts_here: bool) -> Result {
    let sign = match row.verdict {
        Verdict::Given | Verdict::NotReached | Verdict::Same => '=',
        Verdict::Changed => '!',
        Verdict::OnlyHeld => '<',
        Verdict::OnlyAsked => '>',
    };
    if matches!(row.verdict, Verdict::Given | Verdict::NotReached) {
        let (id, event) = (row.event_id.unwrap_or_default(), row.held.as_deref().unwrap_or_default());
        return writeln!(f, "{:2} {id:>5}  {}", "", cut(event, 2 * COLUMN, 0));
    }
    let lines = if parts_here || row.verdict == Verdict::Changed { CELL_LINES_MAX } else { 1 };
    let (held, asked) = (row.held.as_deref().unwrap_or_default(), row.asked.as_deref().unwrap_or_default());
    let focus = if row.verdict == Verdict::Changed { common(held, asked) } else { 0 };
    let mut left = cell(held, lines, focus);
    let mut right = cell(asked, lines, focus);
    if parts_here && row.held.is_none() && told.event.is_none() {
        left = vec!["(the history ends here)".to_owned()];
    }
    if parts_here && row.asked.is_none() && asks_nothing(told) {
        right = vec!["(nothing more)".to_owned()];
    }
    let id = row.event_id.map(|id| id.to_string()).unwrap_or_default();
    for line in 0..left.len().max(right.len()) {
        let (mark, id, sign) = match line {
            0 => (if parts_here { "=>" } else { "" }, id.as_str(), sign),
            _ => ("", "", ' '),
        };
        let (left, right) = (left.get(line), right.get(line));
        let left = left.map(String::as_str).unwrap_or_default();
        let right = right.map(String::as_str).unwrap_or_default();
        writeln!(f, "{}", format!("{mark:2} {id:>5}  {left:COLUMN$} {sign} {right}").trim_end())?;
    }
    Ok(())
}

fn places(f: &mut Formatter<'_>, told: &Divergence) -> Result {
    if !matches!(told.error, TaskError::Nondeterminism(_)) {
        return Ok(());
    }
    if let Some(place) = &told.held_at {
        writeln!(f, "history: asked for at {place}")?;
    }
    match (&told.asked_at, told.asked_nothing_there) {
        (Some(place), false) => writeln!(f, "today:   asked for at {place}"),
        (Some(place), true) if asks_nothing(told) => writeln!(f, "today:   the code waits, after {place}"),
        (Some(place), true) => writeln!(f, "today:   the code returned, after {place}"),
        (None, _) => Ok(()),
    }
}

/// Whether the code asks for nothing at all where the sides part.
fn asks_nothing(told: &Divergence) -> bool {
    told.rows.iter().skip_while(|row| !row.verdict.differs()).all(|row| row.asked.is_none())
}

fn events(count: usize) -> String {
    format!("{count} event{}", if count == 1 { "" } else { "s" })
}

fn more(count: usize) -> String {
    format!("{count} more event{}", if count == 1 { "" } else { "s" })
}

/// How many characters two texts begin with in common.
fn common(left: &str, right: &str) -> usize {
    left.chars().zip(right.chars()).take_while(|(left, right)| left == right).count()
}

/// A text in lines of a column's width, as many as are allowed.
fn cell(text: &str, lines: usize, focus: usize) -> Vec<String> {
    let cut: Vec<char> = cut(text, lines * COLUMN, focus).chars().collect();
    cut.chunks(COLUMN).map(|line| line.iter().collect()).collect()
}

/// A text of at most so many characters: its beginning, and what stands from a little before the focus on.
fn cut(text: &str, width: usize, focus: usize) -> String {
    let characters: Vec<char> = text.chars().collect();
    if characters.len() <= width {
        return text.to_owned();
    }
    let far = focus + COLUMN / 2 > width;
    let (head, from) = if far { (CELL_HEAD, focus - FOCUS_BEFORE) } else { (0, 0) };
    let mut kept: String = characters[..head].iter().collect();
    if far {
        kept.push_str("...");
    }
    let room = width - kept.chars().count();
    let tail = &characters[from..];
    if tail.len() <= room {
        kept.extend(tail);
    } else {
        kept.extend(&tail[..room - 3]);
        kept.push_str("...");
    }
    kept
}

/// A sentence in lines of a readable width, all but the first behind an indent.
fn wrapped(sentence: &str, indent: &str) -> String {
    let (mut text, mut width) = (String::new(), 0);
    for word in sentence.split_whitespace() {
        if width > 0 && width + 1 + word.len() > 2 * COLUMN {
            text.push('\n');
            text.push_str(indent);
            width = 0;
        } else if width > 0 {
            text.push(' ');
            width += 1;
        }
        text.push_str(word);
        width += word.len();
    }
    text
}
