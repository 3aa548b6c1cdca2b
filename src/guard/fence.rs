//! The fence around plug-ins: a panic stays on its side.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls a plug-in; a panic in it becomes its message.
///
/// The caller must not leave its own state half changed across `call`: hand the plug-in borrowed facts,
/// take a value, and only then change anything. That is what makes `AssertUnwindSafe` true here.
pub(crate) fn fenced<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|payload| {
        let text = payload.downcast_ref::<&str>().map(ToString::to_string);
        text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| {
            // Freeing a payload runs code of whoever panicked, which may panic again.
            std::mem::forget(payload);
            "a panic without a message".to_owned()
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A payload that panics again when it is freed.
    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("freed");
        }
    }

    #[test]
    fn a_panic_becomes_its_message() {
        assert_eq!(fenced(|| 7), Ok(7));
        assert_eq!(
            fenced(|| -> u8 { std::panic::panic_any(Bomb) }),
            Err("a panic without a message".to_owned())
        );
        assert_eq!(fenced(|| -> u8 { panic!("out of {}", "tune") }), Err("out of tune".to_owned()));
    }
}
