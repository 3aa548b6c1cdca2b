//! What a request carries beside what every request has.

use std::any::{Any, TypeId, type_name};
use std::fmt;
use std::sync::Arc;

/// Values of the host's, at most one of each type.
#[derive(Clone, Default)]
pub(super) struct Extras(Vec<Extra>);

/// Few are ever given, so a list is the fastest map.
#[derive(Clone)]
struct Extra {
    kind: TypeId,
    name: &'static str,
    value: Arc<dyn Any + Send + Sync>,
}

impl Extras {
    /// Puts `value` in, in the place of one of the same type.
    pub(super) fn set<T: Any + Send + Sync>(&mut self, value: T) {
        let kind = TypeId::of::<T>();
        self.0.retain(|extra| extra.kind != kind);
        self.0.push(Extra { kind, name: type_name::<T>(), value: Arc::new(value) });
    }

    pub(super) fn get<T: Any>(&self) -> Option<&T> {
        let extra = self.0.iter().find(|extra| extra.kind == TypeId::of::<T>())?;
        extra.value.downcast_ref()
    }
}

impl fmt::Debug for Extras {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|extra| extra.name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_of_each_type_and_the_latest_counts() {
        let mut extras = Extras::default();
        assert_eq!(extras.get::<u8>(), None);
        extras.set(7_u8);
        extras.set("DE");
        extras.set(8_u8);
        assert_eq!(
            (extras.get::<u8>(), extras.get::<&str>(), extras.get::<u16>()),
            (Some(&8), Some(&"DE"), None)
        );
        assert_eq!(format!("{extras:?}"), "{\"&str\", \"u8\"}");
    }
}
