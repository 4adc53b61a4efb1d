//! Rust source as a flat list of tokens with their lines: enough to see paths, far from a parser.
//!
//! Comments are dropped, texts and numbers are kept as one meaningless token each, so that neither looks like code.

/// One token and the line on which it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    pub(crate) line: usize,
}

/// Splits source into identifiers, `::`, texts, and single signs.
pub(crate) fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = source;
    let mut line = 1;
    while let Some(first) = rest.chars().next() {
        let length = token_length(rest, first);
        let (text, tail) = rest.split_at(length);
        let skipped = first.is_whitespace() || text.starts_with("//") || text.starts_with("/*");
        if !skipped {
            tokens.push(Token { text, line });
        }
        line += text.matches('\n').count();
        rest = tail;
    }
    tokens
}

fn token_length(rest: &str, first: char) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment_length(rest);
    }
    if let Some(length) = raw_text_length(rest) {
        return length;
    }
    match first {
        '"' => text_length(rest),
        '\'' => quote_length(rest),
        _ if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
        _ if rest.starts_with("::") => 2,
        _ => first.len_utf8(),
    }
}

fn is_word(sign: char) -> bool {
    sign.is_alphanumeric() || sign == '_'
}

fn block_comment_length(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// The length of `r"..."`, `r#"..."#` and their byte and C forms.
fn raw_text_length(rest: &str) -> Option<usize> {
    let prefix = ["r", "br", "cr"].into_iter().find(|prefix| {
        rest.strip_prefix(prefix).is_some_and(|tail| tail.trim_start_matches('#').starts_with('"'))
    })?;
    let hashes = rest[prefix.len()..].find('"')?;
    let begin = prefix.len() + hashes + 1;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(rest[begin..].find(&end).map_or(rest.len(), |at| begin + at + end.len()))
}

fn text_length(rest: &str) -> usize {
    let mut escaped = false;
    for (at, sign) in rest.char_indices().skip(1) {
        match sign {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// A character literal, or the quote of a lifetime.
fn quote_length(rest: &str) -> usize {
    let mut signs = rest.char_indices().skip(1);
    match signs.next() {
        Some((_, '\\')) => {
            signs.next();
            signs.find(|(_, sign)| *sign == '\'').map_or(rest.len(), |(at, _)| at + 1)
        }
        Some(_) => match signs.next() {
            Some((at, '\'')) => at + 1,
            _ => 1,
        },
        None => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, expected: &[&str]) {
        let found: Vec<_> = tokens(source).iter().map(|token| token.text).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn paths_are_split_into_words() {
        check("use crate::{a::B, c};", &["use", "crate", "::", "{", "a", "::", "B", ",", "c", "}", ";"]);
    }

    #[test]
    fn comments_are_dropped() {
        check("a // b\n/* c /* d */ e */ f", &["a", "f"]);
    }

    #[test]
    fn texts_are_one_token() {
        check(
            r##"a("b \" c", r#"d " e"#, 'f', '"', '\'')"##,
            &["a", "(", r#""b \" c""#, ",", r##"r#"d " e"#"##, ",", "'f'", ",", "'\"'", ",", r"'\''", ")"],
        );
    }

    #[test]
    fn lifetimes_are_no_texts() {
        check("&'a str", &["&", "'", "a", "str"]);
    }

    #[test]
    fn lines_are_counted_through_comments_and_texts() {
        let lines: Vec<_> = tokens("a\n/* \n */ \"\n\" b").iter().map(|token| token.line).collect();
        assert_eq!(lines, [1, 3, 4]);
    }
}
