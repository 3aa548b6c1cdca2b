//! What files may be called.

use std::io;

/// The file that is locked while an engine has a directory; never a file of the store itself.
pub(super) const LOCK_FILE: &str = "LOCK";

/// `name`, if a file may be called that on every system: it stays in the folder it is put in, and Windows
/// drops nothing from its end.
pub(super) fn checked(name: &str) -> io::Result<&str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let ends_in_dot = name.ends_with('.');
    // Some file systems do not tell upper case from lower.
    let is_lock = name.eq_ignore_ascii_case(LOCK_FILE);
    if name.is_empty() || ends_in_dot || is_lock || !name.bytes().all(is_plain) {
        let why = format!("{name:?} is not a name for a file of a store");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    Ok(name)
}
