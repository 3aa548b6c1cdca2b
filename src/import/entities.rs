//! HTML character references in names.

use std::borrow::Cow;

/// `text` with its HTML character references resolved, once: `&amp;lt;` becomes `&lt;`.
///
/// Knows the five names XML has (`amp`, `lt`, `gt`, `quot`, `apos`) and numbers, decimal and hexadecimal.
/// What is none of these stays as it is: an ampersand in a band's name is far more likely than a broken
/// reference.
pub(super) fn resolved(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut resolved = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(ampersand) = rest.find('&') {
        let (before, reference) = rest.split_at(ampersand);
        resolved.push_str(before);
        // Without a reference, the ampersand stands for itself.
        let (character, length) = leading_reference(reference).unwrap_or(('&', 1));
        resolved.push(character);
        rest = &reference[length..];
    }
    resolved.push_str(rest);
    Cow::Owned(resolved)
}

/// The character `text` begins with a reference to, and the length of that reference in bytes.
fn leading_reference(text: &str) -> Option<(char, usize)> {
    let (name, _) = text.strip_prefix('&')?.split_once(';')?;
    let character = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => numbered_character(name.strip_prefix('#')?)?,
    };
    Some((character, name.len() + "&;".len()))
}

fn numbered_character(number: &str) -> Option<char> {
    let (digits, radix) = match number.strip_prefix(['x', 'X']) {
        Some(hexadecimal) => (hexadecimal, 16),
        None => (number, 10),
    };
    // `from_str_radix` would take a sign.
    if !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    char::from_u32(u32::from_str_radix(digits, radix).ok()?).filter(|character| *character != '\0')
}

#[cfg(test)]
mod tests {
    use super::resolved;

    #[test]
    fn names_and_numbers_become_characters() {
        assert_eq!(resolved("&lt;A&amp;B&gt; &quot;C&quot; D&apos;s"), "<A&B> \"C\" D's");
        assert_eq!(resolved("Bj&#246;rk Bj&#xF6;rk Bj&#Xf6;rk &#x1F3B5;"), "Björk Björk Björk 🎵");
    }

    #[test]
    fn a_reference_is_resolved_once() {
        assert_eq!(resolved("&amp;lt;&amp;amp;#65;"), "&lt;&amp;#65;");
    }

    #[test]
    fn what_is_no_reference_stays() {
        for text in [
            "",
            "Earth, Wind & Fire",
            "R&B; Soul",
            "&",
            "&;",
            "&#;",
            "&#x;",
            "&nosuch;",
            "&#xD800;",
            "&#1114112;",
            "&#-5;",
            "&#+65;",
            "&#x+41;",
            "&#0;",
            "&#99999999999;",
            "a&amp",
            "&AMP;",
        ] {
            assert_eq!(resolved(text), text);
        }
    }

    #[test]
    fn an_ampersand_before_a_reference_does_not_hide_it() {
        assert_eq!(resolved("&&amp;&#38;é&"), "&&&é&");
    }
}
