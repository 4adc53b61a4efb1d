//! Encoding into exactly as many bytes as a value takes, without growing a buffer for each.

use std::cell::Cell;

use bytes::Bytes;

/// Up to here a value is copied out of the thread's buffer; a larger one takes the buffer along.
const COPIED_MAX: usize = 4 * 1024;

thread_local! {
    /// Empty while somebody encodes, so that a value which encodes others while it is encoded finds room of its own.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// What `write` appends to an empty buffer.
///
/// # Errors
/// Those of `write`.
pub(crate) fn encoded<E>(write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<Bytes, E> {
    let mut buffer = BUFFER.take();
    buffer.clear();
    let written = write(&mut buffer);
    let bytes = written.map(|()| {
        if buffer.len() <= COPIED_MAX {
            Bytes::copy_from_slice(&buffer)
        } else {
            std::mem::take(&mut buffer).into_boxed_slice().into()
        }
    });
    if buffer.capacity() <= 2 * COPIED_MAX {
        BUFFER.set(buffer);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_while_something_is_encoded_is_whole() {
        let outer = encoded(|buffer| {
            buffer.extend(b"before ");
            let inner = encoded(|buffer| {
                buffer.extend(b"inside");
                Ok::<_, ()>(())
            })?;
            buffer.extend(inner);
            Ok::<_, ()>(())
        });
        assert_eq!(outer.unwrap(), b"before inside".as_slice());
        let large = encoded(|buffer| {
            buffer.resize(COPIED_MAX + 1, 7);
            Ok::<_, ()>(())
        });
        assert_eq!(large.unwrap().len(), COPIED_MAX + 1);
        assert_eq!(encoded(|_| Ok::<_, ()>(())).unwrap(), b"".as_slice());
        assert_eq!(encoded(|_| Err(7)), Err(7));
    }
}
