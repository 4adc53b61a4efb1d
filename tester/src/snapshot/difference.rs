//! Two texts line by line: what was taken out, what was put in, and a little around it.

/// How many lines of what is the same are shown around what differs.
const AROUND: usize = 2;
/// How many lines of each text are laid side by side; longer texts are cut there, behind a common beginning.
const LINES_MAX: usize = 2_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line<'a> {
    Same(&'a str),
    Expected(&'a str),
    Found(&'a str),
}

/// The lines that differ, `-` for what was expected and `+` for what was found; `None` if there are none.
///
/// Blanks around lines, and blank lines, do not count.
pub(super) fn of(expected: &str, found: &str) -> Option<String> {
    let (expected, found) = (lines(expected), lines(found));
    if expected == found {
        return None;
    }
    let same = expected.iter().zip(&found).take_while(|(expected, found)| expected == found).count();
    let mut aligned: Vec<_> = expected[..same].iter().map(|line| Line::Same(line)).collect();
    aligned.extend(align(cut(&expected[same..]), cut(&found[same..])));
    Some(show(&aligned))
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect()
}

fn cut<'a, 'b>(lines: &'b [&'a str]) -> &'b [&'a str] {
    &lines[..lines.len().min(LINES_MAX)]
}

/// The longest common subsequence, with what is not in it beside.
fn align<'a>(expected: &[&'a str], found: &[&'a str]) -> Vec<Line<'a>> {
    let width = found.len() + 1;
    let mut common = vec![0_u32; (expected.len() + 1) * width];
    for e in (0..expected.len()).rev() {
        for f in (0..found.len()).rev() {
            let at = e * width + f;
            common[at] = if expected[e] == found[f] {
                common[at + width + 1] + 1
            } else {
                common[at + width].max(common[at + 1])
            };
        }
    }
    let (mut e, mut f, mut lines) = (0, 0, Vec::new());
    while e < expected.len() || f < found.len() {
        let at = e * width + f;
        if e < expected.len() && f < found.len() && expected[e] == found[f] {
            lines.push(Line::Same(expected[e]));
            (e, f) = (e + 1, f + 1);
        } else if f == found.len() || e < expected.len() && common[at + width] >= common[at + 1] {
            lines.push(Line::Expected(expected[e]));
            e += 1;
        } else {
            lines.push(Line::Found(found[f]));
            f += 1;
        }
    }
    lines
}

fn show(lines: &[Line<'_>]) -> String {
    let differs = |line: &Line<'_>| !matches!(line, Line::Same(_));
    let near =
        |at: usize| lines[at.saturating_sub(AROUND)..lines.len().min(at + AROUND + 1)].iter().any(differs);
    let mut text = String::new();
    let mut skipped = false;
    for (at, line) in lines.iter().enumerate() {
        if !near(at) {
            skipped = true;
            continue;
        }
        if std::mem::take(&mut skipped) {
            text.push_str("  ...\n");
        }
        let (sign, line) = match line {
            Line::Same(line) => (' ', line),
            Line::Expected(line) => ('-', line),
            Line::Found(line) => ('+', line),
        };
        text.push_str(&format!("{sign} {line}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expected: &str, found: &str, difference: &str) {
        assert_eq!(of(expected, found).unwrap_or_default(), difference);
    }

    #[test]
    fn what_is_the_same_is_no_difference() {
        check("a\nb\n", "  a\r\n\r\n b", "");
    }

    #[test]
    fn a_line_put_in_or_taken_out_stands_alone() {
        check("1\n2\n3\n4\n5\n6", "1\n2\n3\n4\nnew\n5\n6", "  ...\n  3\n  4\n+ new\n  5\n  6\n");
        check("1\n2\n3", "1\n3", "  1\n- 2\n  3\n");
    }

    #[test]
    fn a_changed_line_is_shown_both_ways() {
        check("a\nb\nc", "a\nx\nc", "  a\n- b\n+ x\n  c\n");
    }
}
