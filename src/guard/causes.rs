//! Errors in words.

/// What an error says, and what each of its causes says that it does not say itself.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        if text.ends_with(&cause) { text } else { format!("{text}: {cause}") }
    })
}

#[cfg(test)]
mod tests {
    use thiserror::Error;

    use super::*;

    #[derive(Debug, Error)]
    enum Trouble {
        #[error("out of tune")]
        Root,
        #[error("line 3: {0}")]
        Says(#[source] Box<Trouble>),
        #[error("the piano is of no use")]
        Hides(#[source] Box<Trouble>),
    }

    #[test]
    fn every_cause_is_told_once() {
        let error = Trouble::Hides(Trouble::Says(Trouble::Root.into()).into());
        assert_eq!(with_causes(&error), "the piano is of no use: line 3: out of tune");
        assert_eq!(with_causes(&Trouble::Hides(Trouble::Root.into())), "the piano is of no use: out of tune");
    }
}
