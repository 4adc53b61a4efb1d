//! What stands before the bytes that a codec made: texts, each with its length in one byte.

use retell::history::CodecError;

/// Puts a text with its length before what follows.
///
/// # Errors
/// [`CodecError`] if it is longer than 255 bytes.
pub(crate) fn put(into: &mut Vec<u8>, text: &str) -> Result<(), CodecError> {
    let length = u8::try_from(text.len())
        .map_err(|_| CodecError(format!("{text:?} is longer than 255 bytes, and no name of an encoding")))?;
    into.push(length);
    into.extend_from_slice(text.as_bytes());
    Ok(())
}

/// Takes such a text from the front.
pub(crate) fn take<'a>(from: &mut &'a [u8]) -> Option<&'a str> {
    let text = take_bytes(from, 1).and_then(|length| take_bytes(from, usize::from(length[0])))?;
    std::str::from_utf8(text).ok()
}

/// Takes so many bytes from the front.
pub(crate) fn take_bytes<'a>(from: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, rest) = from.split_at_checked(count)?;
    *from = rest;
    Some(taken)
}
