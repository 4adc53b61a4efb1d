//! The header `traceparent`: `00-<trace>-<span>-<flags>` in lower-case hexadecimal digits.
//!
//! As <https://www.w3.org/TR/trace-context/> says: a later version may say more behind what version 00 does.

use std::str::FromStr;

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// The lengths of version, trace, span and flags.
const LENGTHS: [usize; 4] = [2, 32, 16, 2];

/// A span as version 00 writes it.
pub(crate) fn write(span: &SpanContext) -> String {
    let flags = span.trace_flags() & TraceFlags::SAMPLED;
    format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), flags.to_u8())
}

/// The span that a header names; `None` if it names none. A state that is none is left out.
pub(crate) fn read(text: &str, state: &str) -> Option<SpanContext> {
    let fields: Vec<&str> = text.split('-').collect();
    let [version, trace, span, flags, rest @ ..] = &fields[..] else { return None };
    let is_hex = |field: &str| field.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    let fit = [version, trace, span, flags].into_iter().zip(LENGTHS);
    let fits = fit.into_iter().all(|(field, length)| field.len() == length && is_hex(field));
    if !fits || *version == "ff" || (*version == "00" && !rest.is_empty()) {
        return None;
    }
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    let state = TraceState::from_str(state).unwrap_or_default();
    let span = SpanContext::new(trace, span, flags, true, state);
    span.is_valid().then_some(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn what_is_written_is_read() {
        let span = read(SAMPLED, "vendor=1").unwrap();
        assert!(span.is_remote() && span.is_sampled());
        assert_eq!((write(&span), span.trace_state().header()), (SAMPLED.to_owned(), "vendor=1".to_owned()));
    }

    #[test]
    fn a_later_version_may_say_more() {
        let later = SAMPLED.replacen("00", "01", 1) + "-more";
        assert_eq!(write(&read(&later, "").unwrap()), SAMPLED);
    }

    #[test]
    fn what_names_no_span_is_none() {
        let wrong = [
            String::new(),
            SAMPLED.to_uppercase(),
            SAMPLED.replacen("00", "ff", 1),
            format!("{SAMPLED}-more"),
            SAMPLED.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            SAMPLED.replace("b7ad6b7169203331", &"0".repeat(16)),
            SAMPLED.replace("-01", "-1"),
            SAMPLED.replace("b7ad", "g7ad"),
            SAMPLED.replace('-', " "),
        ];
        for text in wrong {
            assert_eq!(read(&text, ""), None, "{text}");
        }
    }
}
